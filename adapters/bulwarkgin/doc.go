// Package bulwarkgin supplies what only Gin knows: the errors that handlers
// leave in the context, the route, and a way to use net/http middleware on a
// route or a group.
//
// # From an existing service
//
// Wrapping the whole engine is the way, and needs no adapter, because a
// *gin.Engine is an http.Handler. Five statements change:
//
//	engine := gin.New() // was gin.Default()
//	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{…}})
//	engine.Use(bulwarkgin.Errors(errs)) // before every other Use
//	stack := bulwark.Chain(logging.New(logging.Config{}), timeout.New(timeout.Config{Limit: 5 * time.Second, ErrorHandler: errs.Write}),
//		limits.New(limits.Config{MaxBodyBytes: 1 << 20, ErrorHandler: errs.Write}), errs.Recover)
//	err := (&http.Server{Addr: ":8080", Handler: stack(engine)}).ListenAndServe() // was engine.Run(":8080")
//
// From then on handlers may return their errors, one after the other:
//
//	engine.GET("/users/:id", bulwarkgin.Handler(getUser)) // func getUser(*gin.Context) error
//
// What that changes for clients and in the log, measured against Gin's own
// middleware and gin-contrib's, is in docs/migration.md in the repository.
//
// # Ordering
//
// [Errors] comes first in the engine, before anything that replaces c.Request,
// so that the route it notes reaches the request that logging looks at. Where
// [Wrap] is used, a second Errors after it lets the wrapped middleware see the
// rendered error; the one further out does no harm, for it finds the response
// written.
//
// # What to remove
//
//   - gin.Default, for its gin.Logger and gin.Recovery: the stack logs and
//     recovers. Recovery would answer a panic by itself, so that the line has
//     neither the panic nor its stack; and it swallows the http.ErrAbortHandler
//     by which a handler (httputil.ReverseProxy's, for one) says that a response
//     is not whole, so that it ends as if it were.
//   - Middleware for timeouts, body sizes, request ids and access logs. Those
//     that run c.Next on a goroutine of their own were racing, too.
//   - c.Bind and its kin, which answer 400 by themselves before anybody can say
//     what the error means. c.ShouldBind returns it: a body over its limit is
//     then 413, JSON with a syntax error 400. What encoding/json says of an empty
//     body (io.EOF) and of one that ends too early (io.ErrUnexpectedEOF) could
//     come from anywhere and is 500; a rule on routes that decode says 400.
//
// CORS, gzip, sessions and authentication stay. So does a NoRoute; one that is
// to answer as all errors do is
//
//	engine.NoRoute(bulwarkgin.Handler(func(*gin.Context) error { return &errmap.Problem{Status: http.StatusNotFound} }))
//
// # Late errors
//
// An error that comes when the response has begun is only noted: c.Error is
// also where handlers leave remarks. (errmap.Handler, where nobody else returns
// errors, breaks such a response off.) A handler that has failed in the middle of
// a success, and wants the client to see that it is not whole, says so:
//
//	errs.Write(c.Writer, c.Request, err) // breaks the response off, and notes err
//
// Or it is an errmap.Handler, behind gin.WrapH.
//
// # Informational responses
//
// Gin's writer takes a 103 for the status, and forgets it when the next one is
// set. One that is to be sent goes beneath it:
//
//	c.Writer.(interface{ Unwrap() http.ResponseWriter }).Unwrap().WriteHeader(http.StatusEarlyHints)
//
// The package speaks standard types only and does not import Bulwark; an
// *errmap.Mapper is a [Mapper].
package bulwarkgin
