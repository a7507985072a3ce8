package logging

import "time"

// Record describes a request that has ended, for [Config.Level], [Config.Sample]
// and [Config.OnRecord].
type Record struct {
	Method string // one of the known methods, or "_OTHER"
	Route  string // the pattern that matched, without method and host; "" if none is known
	Path   string // as it is logged: shortened and escaped

	// Status is the status that was sent, 0 if none was, and 499 if the client left
	// before anything was sent.
	Status         int
	StatusIntended int // the status that the handler wanted, if it differs; else 0

	Outcome   Outcome
	Cause     error   // why the request failed, nil if no cause was reported
	Remarks   []error // problems that did not make the request fail, such as what limits would have refused without Shadow
	Panic     any     // the value of a panic, whether or not it was answered
	Abandoned bool    // the handler was still running when the response was sent, or when the client had left

	// HandlerStack is the stack of an abandoned handler. It is set only if package
	// inspect is in use, at most once a minute for each route.
	HandlerStack string

	BytesIn  int64 // bytes read of the request's body; outbound: of the response's body
	BytesOut int64 // bytes written of the response's body; outbound: of the request's body

	// Truncated is true if the client got only a part of the response and can see
	// that the rest is missing. It is false if the client left, and for outbound
	// calls.
	Truncated bool

	// QueueWait is how long the request waited for a permit in package limits, also
	// if it got none. It is 0 if the request did not wait.
	QueueWait time.Duration

	Start    time.Time     // when the request arrived; outbound: when the call began
	TTFB     time.Duration // time until the header of the response was sent; 0 if there was none
	Duration time.Duration // from Start until the request or the call ended

	Client    string // the client's address, see [Config.TrustedProxies]
	Proto     string // "1.0", "1.1", "2"
	Scheme    string // "https" if the connection is encrypted, else "http"; outbound: that of the URL
	Server    string // outbound: the host of the URL, without its port; else ""
	Port      int    // outbound: the port of Server; else 0
	RequestID string // outbound: the id of the request that the call is made for; "" if there is none
	TraceID   string // "" if the request has no trace
	SpanID    string // the span of TraceID: the caller's, or the one set with [Add]; "" if there is none
	// TraceSampled is true if the trace is recorded, according to the flags of the
	// traceparent or those set with [Add].
	TraceSampled bool

	headSent bool // the header was sent before the response was complete
}

// Outcome says how a request ended.
type Outcome string

// The outcomes.
const (
	// OutcomeOK means that the response was sent as the handler wrote it, and that
	// its status is below 500.
	OutcomeOK Outcome = "ok"
	// OutcomeError means a status of 500 or above, an error that was returned after
	// a successful response, or a response that was aborted because of a late
	// error.
	OutcomeError Outcome = "error"
	// OutcomeDeadline means that the request's deadline passed before the response
	// was complete.
	OutcomeDeadline Outcome = "deadline"
	// OutcomeClientGone means that the client disconnected before the response was
	// complete. Outbound: the call was made for a request whose client
	// disconnected.
	OutcomeClientGone Outcome = "client_gone"
	// OutcomeWriteTimeout means that a write deadline passed, such as that of
	// http.Server.WriteTimeout.
	OutcomeWriteTimeout Outcome = "write_timeout"
	// OutcomeWriteError means that writing the response failed while the client was
	// still connected.
	OutcomeWriteError Outcome = "write_error"
	// OutcomeShortBody means that the body was shorter than its declared
	// Content-Length.
	OutcomeShortBody Outcome = "short_body"
	// OutcomePanic means that the handler panicked, even if the client got a
	// response.
	OutcomePanic Outcome = "panic"
	// OutcomeAborted means that the handler ended with http.ErrAbortHandler or
	// runtime.Goexit. Outbound: the context was canceled, or the body was closed or
	// garbage collected before its end.
	OutcomeAborted Outcome = "aborted"
	// OutcomeUpgraded means that the connection was hijacked or switched protocols.
	// If the client asked for an upgrade, the status is 101. With
	// [Config.CountUpgraded] it is the status that the handler wrote to the
	// connection, and the bytes of the connection are counted. The status of any
	// other response that the handler wrote to a hijacked connection is unknown.
	OutcomeUpgraded Outcome = "upgraded"
	// OutcomeRefused means that the request was rejected before its handler ran.
	OutcomeRefused Outcome = "refused"
)
