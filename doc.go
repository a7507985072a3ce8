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
// # From an existing service: net/http
//
// The stack goes around the mux, where the server gets its handler; nothing
// else has to change. Handlers may then return their errors, one after the other:
//
//	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{…}})
//	stack := bulwark.Chain(logging.New(…), timeout.New(…), limits.New(…), errs.Recover)
//	server := &http.Server{Handler: stack(mux)}      // was Handler: mux
//	mux.Handle("GET /users/{id}", errs.Handler(get)) // func get(http.ResponseWriter, *http.Request) error
//
// The one rule is that nothing of the application's stands outside of the
// stack: what answers out there (CORS, authentication) has no deadline, no limit
// and no line. Remove http.TimeoutHandler, which buffers the response and hides
// the wire from what is inside, http.MaxBytesHandler, http.MaxBytesReader where
// limits.Override says the same, and your own middleware that logs, recovers or
// makes ids of requests. Keep the server's ReadHeaderTimeout and IdleTimeout.
//
// The mux answers 404 and 405 by itself, in plain text, which is logged and
// bounded like everything else.
//
// For this section and those that follow, docs/migration.md in the repository
// has the code before and after, what the options of other middleware become,
// and what clients and the log will notice.
//
// # From an existing service: chi
//
// The same, around the router:
//
//	server := &http.Server{Handler: stack(router)}                     // was Handler: router
//	router.Method("GET", "/users/{id}", errs.Handler(get))             // a handler that returns its error
//	router.With(timeout.Override(time.Minute)).Post("/export", export) // a route's own deadline
//
// The one rule: around the router and not in router.Use, because there the
// request already carries chi's pooled context, and on HTTP/2 the answer at a
// deadline then ends in a reset of the stream (see timeout.New). Remove
// middleware.Logger, Recoverer, Timeout, RequestID, RequestSize and, where limits
// bounds the requests in flight, Throttle. Keep GetHead, Compress, CORS.
//
// chi serves a copy of the request, so its pattern comes to the log line through
// errs.Handler or another middleware of Bulwark's on the route (With, not Use),
// and is missing for handlers without one. For a 404 and a 405 in the words of
// all other errors there are router.NotFound and MethodNotAllowed; chi sets Allow
// only where it answers a 405 by itself.
//
// # From an existing service: Gin and Echo
//
// Wrap the whole engine: it is an http.Handler like any other.
//
//	server := &http.Server{Handler: stack(engine)}
//
// Inside the engine, the modules adapters/bulwarkgin and adapters/bulwarkecho
// carry errors from handlers to errmap, tell the route to the log line, and
// use any middleware on a single route or group. They are modules of their
// own, so that the core brings no framework; each has the page of its
// framework, bulwarkecho that of Echo v5 and of v4.
package bulwark
