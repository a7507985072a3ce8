package logging

import "time"

// Record is what is known about a request when it has ended, for
// [Config.Level], [Config.Sample] and [Config.OnRecord].
type Record struct {
	Method string // as in the line: one of the known methods, else "_OTHER"
	Route  string // the pattern that matched, without method and host; "" where none is known
	Path   string // as in the line: capped and free of control characters

	// Status is what went over the wire, 0 where nothing did; 499 where the
	// client left before anything was sent.
	Status         int
	StatusIntended int // what the handler wanted, where that differs; else 0

	Outcome   Outcome
	Cause     error   // why it failed, nil where nobody said
	Remarks   []error // what did not make it fail: what the shadow of package limits would have refused, say
	Panic     any     // the value of a panic, answered or not
	Abandoned bool    // the handler was still running when the answer went out, or the client had left

	BytesIn  int64 // of the request's body, as read; outbound: of the response's
	BytesOut int64 // of the response's body; outbound: of the request's

	Start    time.Time
	TTFB     time.Duration // until the head of the response, 0 where there was none
	Duration time.Duration

	Client    string // the client's address, see [Config.TrustedProxies]
	Proto     string // "1.0", "1.1", "2"
	RequestID string
	TraceID   string // "" where the request came without a trace
	SpanID    string

	early bool // the head left before the response was complete
}

// Outcome says how a request ended.
type Outcome string

// The outcomes.
const (
	// OK: the response went out as the handler meant it, and is not a 5xx.
	OK Outcome = "ok"
	// Error: a 5xx, an error behind a response that claims success, or a
	// response that was cut off because of a late error.
	Error Outcome = "error"
	// Deadline: the request's deadline passed before the response was complete.
	Deadline Outcome = "deadline"
	// ClientGone: the client left before the response was complete. Outbound: the
	// caller's client has left.
	ClientGone Outcome = "client_gone"
	// WriteTimeout: a write deadline, as that of http.Server.WriteTimeout, passed.
	WriteTimeout Outcome = "write_timeout"
	// WriteError: the response could not be written, and not for want of a client.
	WriteError Outcome = "write_error"
	// ShortBody: the body was shorter than the declared Content-Length.
	ShortBody Outcome = "short_body"
	// Panic: the handler panicked, whether somebody answered for it or not.
	Panic Outcome = "panic"
	// Aborted: the handler ended with http.ErrAbortHandler or runtime.Goexit.
	// Outbound: the context was cancelled, or the body closed or forgotten, before
	// its end.
	Aborted Outcome = "aborted"
	// Upgraded: the connection was hijacked or switched protocols. The status of one
	// that the client asked to switch is also seen where it is written to the
	// connection by hand, its bytes being counted as the response's; that of a
	// connection which is hijacked to be answered by hand is nobody's to know.
	Upgraded Outcome = "upgraded"
	// Refused: the request was turned away before its handler ran.
	Refused Outcome = "refused"
)
