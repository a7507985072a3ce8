// Package bulwark is resilience middleware for services on net/http. A service
// that uses it stays up, tells its callers the truth, and says afterwards what
// happened.
//
// Four packages do that. Each is useful alone, each makes a plain
// func(http.Handler) http.Handler, and none knows a framework:
//
//   - [github.com/bulwark-go/bulwark/timeout]: a deadline that really ends the request
//   - [github.com/bulwark-go/bulwark/limits]: never a byte, a request or a second more than agreed
//   - [github.com/bulwark-go/bulwark/errmap]: handlers return errors, one table turns them into responses
//   - [github.com/bulwark-go/bulwark/logging]: one structured line a request that says what went over the wire
//
// This package adds [Chain], which puts middleware in order:
//
//	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{
//		errmap.Is(store.ErrNotFound, errmap.Problem{Status: http.StatusNotFound}),
//	}})
//	stack := bulwark.Chain(
//		logging.New(logging.Config{}),
//		timeout.New(timeout.Config{Limit: 100 * time.Millisecond, ErrorHandler: errs.Write}),
//		limits.New(limits.Config{MaxBodyBytes: 1 << 20, ErrorHandler: errs.Write}),
//		errs.Recover,
//	)
//	server := &http.Server{Handler: stack(mux)}
//
// Used together the four share one state and one http.ResponseWriter per
// request, so that the whole stack costs one wrapper and one clone of the
// request, and so that the log line, the deadline and the error mapping agree
// on what happened.
//
// # Ordering
//
// The order above is the one to use. What matters in it:
//
//   - logging outermost. A middleware sees only what reaches it: a request that
//     something further out refuses or answers has no line.
//   - timeout outside limits, so that the time a request waits there counts.
//   - Recover inside logging, so that the line has the 500 that the client got:
//     logging itself never stops a panic.
//
// Beyond that the order cannot make the packages wrong: logging inside timeout
// still logs the status that went over the wire, because the end of a request
// is observed in one place whichever of the four made it.
//
// # What the client sees
//
//	what happened                                           status
//	a handler returned an error                             what errmap says, 500 without a rule
//	a handler panicked, with Recover                        500
//	the handler was slow                                    504
//	the client was slow to send its body                    408
//	the body is too long, or decodes to too much            413
//	too many requests are in flight                         503
//	a failure after the response has started                the response breaks off, visibly
//	the client has left                                     nothing; the log says 499
//
// The text of an error is never sent unless a rule made it public. A response
// that could not be completed never ends as if it were complete.
//
// # Gin and Echo
//
// Wrap the whole engine: it is an http.Handler like any other.
//
//	server := &http.Server{Handler: stack(engine)}
//
// Inside the engine, the modules adapters/bulwarkgin and adapters/bulwarkecho
// carry errors from handlers to errmap, tell the route to the log line, and
// use any middleware on a single route or group. They are modules of their
// own, so that the core brings no framework.
package bulwark
