// Package timeout provides net/http middleware that enforces a deadline for each
// request. The deadline ends the request's context, sends the response, and
// unblocks a handler that is reading from the client or writing to it.
//
//	h := timeout.New(timeout.Config{Limit: 5 * time.Second})(mux)
//
// At the deadline the request's context ends with context.DeadlineExceeded and an
// [*Error] as its cause. Further writes of the handler fail with
// http.ErrHandlerTimeout. The client gets a complete response even if the handler
// has not returned. The status is 504 if the handler was slow, and 408 if the
// client was slow to send its body. Responses are not buffered. If a response has
// already started, it is aborted instead. [New] describes streams, HTTP/2, Gin and
// Echo.
//
// Go cannot kill a goroutine. A handler that ignores its context and its I/O errors
// keeps running after the response is sent. Its log record has abandoned=true, and
// the handler keeps its permit from package limits until it returns.
//
// Set ReadHeaderTimeout and IdleTimeout of the http.Server as well. A WriteTimeout
// must be longer than Limit. With a shorter one, the server breaks an HTTP/2
// response before package timeout can send the 504.
//
// Put timeout outside limits and inside logging, and put recovery and
// response-buffering middleware inside it. Middleware outside timeout is not
// bounded by it. If deadlines are nested, the shortest one applies. [Override]
// gives a route its own deadline. "Ordering" and "What the client sees" in package
// [github.com/bulwark-go/bulwark] apply to all packages.
//
// # Outbound
//
// Nest the three transports of Bulwark in this order:
//
//	client := &http.Client{Transport: logging.NewTransport(logging.TransportConfig{
//		Base: timeout.NewTransport(timeout.TransportConfig{
//			Base: limits.NewTransport(limits.TransportConfig{}),
//		}),
//	})}
//
// Put retries, hedging and circuit breakers (for example failsafe-go's
// failsafehttp.NewRoundTripper) around all three. Each attempt then has its own
// limit, budget and log record. If all attempts should share one deadline, set it
// on the request's context. Put a RoundTripper that signs requests or adds
// credentials innermost, next to the http.Transport, so that it signs the headers
// that are sent.
package timeout
