// Package bulwark provides deadlines, limits, error responses and access logs for
// services on net/http. What the log says is what the client got.
//
//	mux := http.NewServeMux()
//	// mux.HandleFunc(…) as before
//	server := &http.Server{Addr: ":8080", Handler: bulwark.New(bulwark.Config{})(mux)}
//	log.Fatal(server.ListenAndServe())
//
// [New] returns the recommended stack with defaults for production: 30 seconds for
// a request, 1 MiB for its body, and one log record for each request. It consists
// of four packages. Each works alone, each provides a plain
// func(http.Handler) http.Handler, and none depends on a framework:
//
//   - [github.com/bulwark-go/bulwark/timeout] sends a complete response at the
//     deadline, even if the handler ignores its context
//   - [github.com/bulwark-go/bulwark/limits] bounds request bodies, headers and
//     the number of concurrent requests
//   - [github.com/bulwark-go/bulwark/errmap] lets handlers return errors, and turns
//     them into responses by one table of rules
//   - [github.com/bulwark-go/bulwark/logging] writes one structured log record for
//     each request, with the status that was sent
//
// Three more packages complement them:
//
//   - [github.com/bulwark-go/bulwark/quota] limits how often each client may send
//     requests
//   - [github.com/bulwark-go/bulwark/inspect] shows the requests in flight, with the
//     stacks of their handlers
//   - [github.com/bulwark-go/bulwark/bulwarktest] provides misbehaving clients and
//     checks of handlers for your tests
//
// # Configuration
//
// Each package keeps its own Config. Zero fields mean the documented defaults. If a
// Config is wrong, New panics and names every bad field. A typical stack:
//
//	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{
//		errmap.Is(store.ErrNotFound, errmap.Problem{Status: http.StatusNotFound, Code: "user_not_found"}),
//	}})
//	stack := bulwark.New(bulwark.Config{
//		Timeout: timeout.Config{Limit: 5 * time.Second},
//		Limits:  limits.Config{MaxBodyBytes: 10 << 20, MaxInFlight: 500},
//		Errors:  errs,
//	})
//	mux.Handle("GET /users/{id}", errs.Handler(get)) // func get(http.ResponseWriter, *http.Request) error
//	server := &http.Server{Handler: stack(mux)}
//
// Set ReadHeaderTimeout and IdleTimeout of the http.Server as well. They bound the
// time before a request reaches a handler.
//
// # Terms
//
// These terms are used in all packages:
//
//   - A log record is the structured record that package logging writes for a
//     request.
//   - An outcome says how a request ended: ok, error, deadline and so on. It is in
//     the log record.
//   - The exchange is the state of one request that the packages share. The outermost
//     Bulwark middleware creates it.
//   - A budget is how long a caller will wait. The caller sends it in a request
//     header.
//   - An abandoned handler is one that was still running when the response was
//     sent. Go cannot kill a goroutine, so the handler runs until it returns.
//
// # Ordering
//
// New uses this order. You can also write it yourself, with [Chain]:
//
//	errs := errmap.New(errmap.Config{…})
//	stack := bulwark.Chain(
//		logging.New(logging.Config{}),
//		timeout.New(timeout.Config{Limit: 5 * time.Second, ErrorHandler: errs.Write}),
//		limits.New(limits.Config{MaxBodyBytes: 1 << 20, ErrorHandler: errs.Write}),
//		errs.Recover,
//	)
//
// If you use another order:
//
//   - Keep logging outermost. A request that is rejected before it reaches logging
//     has no log record.
//   - Keep timeout outside limits, so that the deadline includes the time in the
//     queue of limits. A request that waits too long then gets a 503 just before
//     its deadline, and its handler does not start.
//   - Keep Recover inside logging, so that the log record has the 500 that the
//     client got. Logging does not stop a panic. A panic in middleware outside
//     Recover does not become a 500.
//   - Put quota inside logging, so that a refused request is logged; inside
//     timeout, so that a slow Store has a deadline; and outside limits, so that a
//     refusal costs little.
//
// In all other respects the order does not matter. For example, logging inside
// timeout still logs the status that the client got, because all packages see the
// end of a request in the same place.
//
// Middleware of other libraries, such as authentication and compression, goes
// inside the stack, around the mux. docs/middleware.md in the repository lists the
// exceptions. docs/request.svg shows a request's way through the stack.
//
// # What the client sees
//
//	what happened                                           status
//	a handler returned an error                             what the rules of errmap say; 500 if none matches
//	a handler panicked                                      500
//	the handler was slow                                    504
//	the caller's budget was spent on arrival                504, without running the handler
//	the client was slow to send its body                    408
//	the body is malformed or cut short                      400
//	the body is too large, encoded or decoded               413
//	the body has an unsupported Content-Encoding            415
//	the request target or the header is too large           414, 431
//	the client sends too many requests (quota)              429
//	too many requests are in flight                         503
//	something failed after the response had started         the response is aborted
//	the client disconnected before a response               none; the log record has 499
//
// The text of an error is never sent unless a rule makes it public. An incomplete
// response never looks complete: it is aborted by closing the connection early on
// HTTP/1, and by resetting the stream on HTTP/2. Clients report both as an error.
//
// A slow handler gets 504 and not 503. A 503 says that the service is overloaded or
// down. Load balancers then stop sending requests to the instance, and clients
// retry. One slow handler is no reason for that. 408 is sent only if the client was
// slow, because clients may repeat a request at once after a 408 (RFC 9110 section
// 15.5.9).
//
// # Health checks
//
// To leave health checks out of the log, return 0 for them from Sample. Health
// checks that fail or are slow are still logged:
//
//	logging.Config{Sample: func(r logging.Record) float64 {
//		if r.Route == "/healthz" {
//			return 0
//		}
//		return 1
//	}}
//
// # From an existing service: net/http
//
// Put the stack around the mux in http.Server.Handler. Nothing else has to change.
// You can then let one handler after another return its errors:
//
//	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{…}})
//	stack := bulwark.New(bulwark.Config{Errors: errs})
//	server := &http.Server{Handler: stack(mux)}      // was Handler: mux
//	mux.Handle("GET /users/{id}", errs.Handler(get)) // func get(http.ResponseWriter, *http.Request) error
//
// Keep the stack outermost. Middleware around it, such as CORS or authentication,
// runs without deadlines and limits, and the responses it writes are not logged.
//
// Remove http.TimeoutHandler, which buffers every response; http.MaxBytesHandler;
// http.MaxBytesReader if limits.Override can replace it; and your own middleware
// for logging, recovery and request ids. Keep the server's ReadHeaderTimeout and
// IdleTimeout.
//
// The mux answers 404 and 405 itself, in plain text. These responses are logged
// and bounded like all others.
//
// docs/migration.md in the repository has more, also for the next two sections: the
// code before and after, the options of other middleware and their replacements,
// and what changes for clients and in the log.
//
// # From an existing service: chi
//
// Put the stack around the router:
//
//	server := &http.Server{Handler: stack(router)}                     // was Handler: router
//	router.Method("GET", "/users/{id}", errs.Handler(get))             // a handler that returns its error
//	router.With(timeout.Override(time.Minute)).Post("/export", export) // a route's own deadline
//
// Do not install the stack with router.Use. Requests there already have chi's
// pooled context, so on HTTP/2 a response at the deadline ends with a reset of the
// stream (see timeout.New). Remove middleware.Logger, Recoverer, Timeout,
// RequestID, RequestSize and, if limits bounds the requests in flight, Throttle.
// Keep GetHead, Compress and CORS.
//
// chi serves a copy of the request. So the log record has the route only if its
// handler is errs.Handler or is wrapped in other Bulwark middleware with
// router.With (not router.Use). To answer 404 and 405 in the format of your other
// errors, use router.NotFound and MethodNotAllowed. chi sets Allow only if it
// answers a 405 itself.
//
// # From an existing service: Gin and Echo
//
// Wrap the whole engine: it is an http.Handler like any other.
//
//	server := &http.Server{Handler: stack(engine)}
//
// Inside the engine, adapters/bulwarkgin and adapters/bulwarkecho pass the errors
// of handlers to errmap and the route to the log record, and let you use any
// middleware on a single route or group. They are separate modules, so the core
// does not depend on a framework. The documentation of bulwarkecho covers Echo v5
// and v4.
package bulwark
