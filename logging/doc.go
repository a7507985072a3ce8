// Package logging writes one structured line a request that says what really
// went over the wire, and how it ended.
//
//	log := logging.New(logging.Config{})
//	http.ListenAndServe(addr, log(mux))
//
// A line looks like this, on one line:
//
//	{"time":"…","level":"INFO","msg":"http request","http.request.method":"GET",
//	 "url.path":"/users/7","http.route":"/users/{id}","http.response.status_code":200,
//	 "http.request.body.size":0,"http.response.body.size":22,
//	 "http.server.request.duration":0.000132,"client.address":"192.0.2.1",
//	 "user_agent.original":"curl/8","network.protocol.version":"1.1",
//	 "outcome":"ok","request_id":"01a20751-7155-7151-9a73-cf8da1712cd2"}
//
// More stands in it only where there is something to say: url.query, ttfb of a
// response that took its time after the head, the ids of a trace, why it failed.
// Durations are in seconds, sizes in bytes. The message is constant.
//
// # The status and the outcome
//
// The status is the one that went over the wire. Where nothing did there is
// none, with one exception: 499 where the client left before anything was sent.
// What the handler wanted stands beside it as status_intended, where it differs.
// The [Outcome] says how the request ended: a 200 whose client has left in the
// middle, or that the server's WriteTimeout cut off, is not "ok".
//
// The line is written at the moment the request ended for the client. That can
// be before the handler has returned: at the deadline of package timeout the
// line has "abandoned":true, and the late end of the handler is noted in a record
// of its own, "http handler ended late", with the same request_id and, where it
// panicked, with that. A connection that switched protocols is accounted to its
// end, and so is a stream.
//
// # Ordering
//
// New belongs outermost, for only what reaches it is seen by it: a request that
// an outer package limits refuses has no line. With timeout, limits and errmap
// of this module the order cannot make it lie beyond that, because the ending is
// observed where the response leaves: inside timeout it still logs the 504 that
// was sent and not the 200 that the handler wanted. A writer of somebody else's
// in between, one that buffers as http.TimeoutHandler does, hides the wire from
// everything inside it: put it inside. A second New inside another adds no line.
//
// A panic is logged with its stack and goes on: logging recovers nothing for
// good. (*errmap.Mapper).Recover inside turns it into a 500. A recovery of
// somebody else's inside leaves nothing to see but its 500.
//
// # What stays out
//
// Headers are logged by name only, [Config.RequestHeaders] and
// [Config.ResponseHeaders]. Of query keys that are not listed the value is
// REDACTED, in url.query and in every URL inside an error's text; passwords in
// URLs always are. Paths are logged as they are: keep secrets out of them. Values
// are at most 1 KiB and a line 16 KiB; what does not fit is counted as
// dropped_attributes. Control characters, terminal sequences, invalid UTF-8 and
// marks that turn the direction of text appear as escapes (\n, \x1b, \u202e).
// What errors and panics say is the application's own text, and otherwise logged
// as it is.
//
// # Who asked
//
// The request's id is that of the caller where it is short and clean, else a new
// UUIDv7; it is echoed in the response and passed on by [NewTransport]. Trace ids
// come from the traceparent, with span_id the caller's span. With a tracing
// library, tell the line of the span it made:
//
//	sc := trace.SpanContextFromContext(r.Context())
//	logging.Add(r.Context(),
//		slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
//
// The client's address is the connection's. [Config.TrustedProxies] lets proxies
// of one's own speak for others, in X-Forwarded-For or Forwarded, read from the
// right. A proxy that knows one of the two passes on what a client wrote in the
// other, so where both are there and disagree, neither counts; and a proxy that
// sets neither lets every client choose its address, so do not list one.
//
// # Names
//
// The attributes are OpenTelemetry's. [ECS] and [GCP] name them otherwise; what
// the slog handler writes itself (time, level, msg) is a matter of its
// ReplaceAttr. Own names are outcome, status_intended, abandoned, request_id,
// request_id_upstream, problem_id, trace_id, span_id, sample_rate, ttfb, remarks
// and dropped_attributes.
package logging
