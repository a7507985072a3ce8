// Package bulwarkgin connects Gin to Bulwark. It passes the errors that handlers
// add to Gin's context to an error mapper, sets the route, and runs net/http
// middleware on a route or a group.
//
// # From an existing service
//
// Wrap the whole engine. This needs no adapter, because a *gin.Engine is an
// http.Handler. Five statements change:
//
//	engine := gin.New() // was gin.Default()
//	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{…}})
//	engine.Use(bulwarkgin.Errors(errs)) // before every other Use
//	stack := bulwark.New(bulwark.Config{Timeout: timeout.Config{Limit: 5 * time.Second}, Errors: errs})
//	err := (&http.Server{Addr: ":8080", Handler: stack(engine)}).ListenAndServe() // was engine.Run(":8080")
//
// You can then let one handler after another return its errors:
//
//	engine.GET("/users/:id", bulwarkgin.Handler(getUser)) // func getUser(*gin.Context) error
//
// docs/migration.md in the repository shows what changes for clients and in the log,
// compared with Gin's own middleware and gin-contrib's.
//
// # Ordering
//
// Pass [Errors] to the first Use of the engine, before any middleware that replaces
// c.Request. Then the route is set in the request that package logging reads. If
// you use [Wrap], use Errors once more after it, so that the wrapped middleware
// sees the response to an error. The outer Errors then only adds the error to the
// log record.
//
// # What to remove
//
//   - gin.Default's gin.Logger and gin.Recovery. The stack logs and recovers.
//     gin.Recovery would respond to panics itself, so the log record would have
//     neither the panic nor its stack. It also recovers http.ErrAbortHandler, so a
//     handler such as httputil.ReverseProxy could not abort its response.
//   - Middleware for timeouts, body sizes, request ids and access logs. Middleware
//     that runs c.Next on another goroutine also has data races.
//   - c.Bind and the other methods that respond with 400 themselves, before the
//     mapper can decide. Use c.ShouldBind, which returns the error: a body over its
//     limit is then 413, and an empty body or malformed JSON is 400. For a
//     truncated JSON body it returns io.ErrUnexpectedEOF, which could also come
//     from a database, so the response is 500 unless the client's connection has
//     ended. errmap.DecodeJSON(c.Request, &v) returns a 400 for it, and tells the
//     client where the mistake is.
//
// Keep CORS, gzip, sessions and authentication, and NoRoute. To answer 404 in the
// format of your other errors:
//
//	engine.NoRoute(bulwarkgin.Handler(func(*gin.Context) error { return &errmap.Problem{Status: http.StatusNotFound} }))
//
// # Late errors
//
// If the response has started, Errors only adds the error to the log record,
// because c.Error is also used for remarks. To abort a response that has failed
// half-way, call Write. The client then sees that the response is not complete:
//
//	errs.Write(c.Writer, c.Request, err) // aborts the response, and adds err to the log record
//
// An errmap.Handler, with gin.WrapH, does this for every error.
//
// # Informational responses
//
// Gin's writer treats a 103 as the final status, and drops it when the next status
// is set. Send a 103 through the writer that Gin wraps:
//
//	c.Writer.(interface{ Unwrap() http.ResponseWriter }).Unwrap().WriteHeader(http.StatusEarlyHints)
//
// The package does not import Bulwark: a [Mapper] has only types of the standard
// library.
package bulwarkgin
