// Package timeout ends a request at its deadline: on the wire, in the context,
// and in a handler that is stuck reading from its client or writing to it.
//
//	h := timeout.New(timeout.Config{Limit: 5 * time.Second})(mux)
//
// The deadline is enforced, not only announced. The request's context ends with
// context.DeadlineExceeded and an [*Error] as its cause; what the handler goes on
// to write is refused with http.ErrHandlerTimeout; and the client gets its
// answer, complete, whether or not the handler has come back. Nothing is
// buffered, and a request costs one timer. [New] tells of streams, of HTTP/2 and
// of Gin and Echo.
//
// No goroutine can be stopped from outside: a handler that listens neither to
// its context nor to its failed reads and writes runs on until it returns.
// Package logging counts those (abandoned), package limits keeps their permits.
// ReadHeaderTimeout and IdleTimeout of http.Server are still needed; a
// WriteTimeout shorter than the limit breaks HTTP/2 before the deadline answers.
//
// # Ordering
//
//	bulwark.Chain(logging.New(…), timeout.New(…), limits.New(…), errs.Recover)
//
// What stands outside is not bounded. What recovers, and what buffers the
// response, belongs inside, where it can still answer and holds nothing back.
// Of nested deadlines the shorter counts; [Override] gives a route its own.
//
// # What the client sees
//
//	the handler has not answered             504 Gateway Timeout
//	it waits for the client's own body       408 Request Timeout, connection closed
//	the response has begun                   what there was, then a broken transfer
//	the client has left                      nothing; 499 in the log
//	the caller's budget is spent             504 at once, the handler not run
package timeout
