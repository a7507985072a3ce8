// Package logging writes one structured log record for each request. It says
// what was sent to the client and how the request ended.
//
//	log := logging.New(logging.Config{})
//	http.ListenAndServe(addr, log(mux))
//
// The message is constant and everything else is an attribute:
//
//	{"time":"…","level":"INFO","msg":"http request","http.request.method":"GET",
//	 "http.route":"/users/{id}","http.response.status_code":200,
//	 "network.protocol.version":"1.1","outcome":"ok","http.request.body.size":0,
//	 "http.response.body.size":22,"http.server.request.duration":0.000132,
//	 "url.path":"/users/7","client.address":"192.0.2.1","user_agent.original":"curl/8",
//	 "request_id":"01a20751-7155-7151-9a73-cf8da1712cd2"}
//
// Other attributes are present only if they apply. Durations are in seconds, sizes
// in bytes. The status is the one that was sent. If none was sent, it is 499 if the
// client left first, and otherwise missing. status_intended is the status that the
// handler wanted, if that is different. The [Outcome] says how the request ended.
// [Config] describes what is redacted and where the client's address comes from.
// [Schema] lists the other schemas.
//
// # Ordering
//
// Put New outermost. A request rejected before it reaches New is not logged.
// Otherwise the order does not matter, because the end of a response is observed at
// the server's writer: inside timeout, New logs the 504 that was sent. Middleware
// that buffers the response, as http.TimeoutHandler does, hides the server's writer
// from what is inside it. Put such middleware inside New. A panic is logged with
// its stack and continues. (*errmap.Mapper).Recover inside New turns it into a 500.
//
// # The slog handler
//
// The slog handler is called on the goroutine that ends the request, before the
// server sends the part of the response that it still buffers. So a handler that
// blocks, because its disk is full or its collector does not answer, delays
// responses. No deadline applies, because package timeout has stopped its timer by
// then. Bytes that were flushed earlier and the response at a deadline are not
// delayed. If log records go over a network, use a handler with a bounded queue
// that drops records when it is full.
//
// If the handler or a function of Config panics, the panic is reported to the
// server's ErrorLog, and only the result of that call is lost. If Level panics, the
// record has the default level; if Sample panics, the record is kept; if
// ReplaceAttr panics, a note replaces the attribute.
//
// Many log records share attributes: method, route, status, protocol version,
// outcome, and the size of an empty body. For slog.JSONHandler and slog.TextHandler
// these are encoded once, by WithAttrs, and ReplaceAttr is called for them once.
// Every other handler gets all attributes in the slog.Record.
//
// # Health checks
//
// To leave health checks out of the log unless they fail or are slow, sample them
// at 0:
//
//	logging.New(logging.Config{Sample: func(r logging.Record) float64 {
//		if r.Route == "/healthz" {
//			return 0
//		}
//		return 1
//	}})
//
// OnRecord is still called for health checks.
//
// # Outbound
//
// Nest Bulwark's three transports in the same order as the middleware:
//
//	client := &http.Client{Transport: logging.NewTransport(logging.TransportConfig{
//		Base: timeout.NewTransport(timeout.TransportConfig{
//			Base: limits.NewTransport(limits.TransportConfig{}),
//		}),
//	})}
//
// The outermost transport then records why the others ended a call, and the calls
// that timeout refused to make. Put retries (failsafe-go) around all of them, so
// that each attempt has its own log record.
package logging
