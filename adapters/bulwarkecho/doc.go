// Package bulwarkecho connects Echo v5's error handling to an error mapper and
// uses net/http middleware on a route or a group. Echo v4 needs no adapter, see
// below.
//
// # From an existing service
//
// Wrapping the whole of Echo is the way, for an *echo.Echo is an http.Handler.
// Five statements change:
//
//	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{…}})
//	e.HTTPErrorHandler = bulwarkecho.ErrorHandler(errs)
//	e.Use(bulwarkecho.Route) // before every other Use
//	stack := bulwark.Chain(logging.New(logging.Config{}), timeout.New(timeout.Config{Limit: 5 * time.Second, ErrorHandler: errs.Write}),
//		limits.New(limits.Config{MaxBodyBytes: 1 << 20, ErrorHandler: errs.Write}), errs.Recover)
//	err := (&http.Server{Addr: ":8080", Handler: stack(e)}).ListenAndServe() // was e.Start(":8080")
//
// What that changes for clients and in the log, measured against Echo's own
// middleware, is in docs/migration.md in the repository.
//
// # Ordering
//
// Echo calls its error handler when all middleware is done. Around the whole of
// it that is early enough. A middleware on a route or a group would miss the
// answer; [Wrap] therefore has the error rendered before the middleware returns,
// and passes it on, for Echo middleware further out to see. The error handler is
// then called once more and only notes it.
//
// # What to remove
//
//   - middleware.RequestLogger and Recover: the stack logs and recovers. Recover
//     inside would make an error of the panic, and the line would not say panic.
//   - middleware.ContextTimeout and BodyLimit: the same is done outside, where it
//     is enforced and covers what Echo answers by itself.
//   - middleware.RequestID: the id of the line is in the response's X-Request-Id.
//   - echo.WrapMiddleware around Bulwark's middleware; [Wrap] is in its place.
//
// CORS, Gzip, sessions and authentication stay.
//
// # Errors
//
// The mapper gets the error exactly as it was returned, and with it the whole
// tree of causes. A mapper such as *errmap.Mapper looks through that tree, its
// own rules first, and takes the status of an *echo.HTTPError, or of the
// router's 404 and 405, for what it is when nothing more is known:
//
//   - echo.ErrNotFound, echo.NewHTTPError(409, "taken"): the status stands. The
//     message does not reach the client unless a rule says so; the last rule
//     of a table can be
//     errmap.As(func(e *echo.HTTPError) errmap.Problem { return errmap.Problem{Status: e.Code, Title: e.Message} }).
//   - echo.ErrBadRequest.Wrap(cause), as Echo's binder returns it: a rule for
//     the cause decides, so that a body over its limit is 413 and not the
//     binder's 400. Without such a rule it is 400.
//
// An error that comes when the response is committed is only noted: Echo calls
// its error handler also with errors that were answered. (errmap.Handler, where
// nobody else does, breaks a begun success off.) A handler that has failed in the
// middle of a success, and wants the client to see that it is not whole, says so:
//
//	errs.Write(c.Response(), c.Request(), err) // breaks the response off, and notes err
//	return nil
//
// Or it is an errmap.Handler, behind echo.WrapHandler.
//
// # Informational responses
//
// Echo's writer takes a 103 for the response: it is sent, and whatever status
// follows is refused, so that 200 goes out. One that comes before another status
// goes beneath that writer. (An error after it is rendered all the same.)
//
//	c.Response().(interface{ Unwrap() http.ResponseWriter }).Unwrap().WriteHeader(http.StatusEarlyHints)
//
// # echo.WrapMiddleware
//
// Echo's own way to use net/http middleware, in v4 and in v5, returns the error
// of the handlers when the middleware is done, and leaves c.Response() as the
// middleware's writer. For Bulwark's middleware that means:
//
//   - The outermost of it ends the request. An error that Echo renders after that
//     is lost: the client gets an empty 200, and the line says 200. Where the
//     whole engine is wrapped, what comes onto a route by WrapMiddleware
//     (timeout.Override, limits.Override) is not the outermost, and all is well.
//   - A 103 goes through Echo's writer, and 200 after it.
//
// # Echo v4
//
// Whole-engine wrapping works the same. This module is v5's; in its place stand
// an error handler, a middleware that tells the route, and as the last rule of
// the table one for v4's errors, which have no StatusCode method:
//
//	errmap.As(func(e *echo.HTTPError) errmap.Problem { return errmap.Problem{Status: e.Code} })
//
//	e.HTTPErrorHandler = func(err error, c echo.Context) {
//		if c.Response().Committed {
//			errs.Note(c.Request(), err)
//			return
//		}
//		errs.Write(c.Response(), c.Request(), err)
//	}
//	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
//		return func(c echo.Context) error {
//			c.Request().Pattern = c.Path()
//			c.Response().Header() // the hint to look at it, see Route
//			return next(c)
//		}
//	})
//
// Remove Logger, RequestLogger, Recover, Timeout, ContextTimeout, BodyLimit and
// RequestID of its middleware. Where the stack has to be on a route, a middleware
// inside of it renders the error in time:
//
//	group.Use(echo.WrapMiddleware(stack), func(next echo.HandlerFunc) echo.HandlerFunc {
//		return func(c echo.Context) error {
//			err := next(c)
//			if err != nil {
//				c.Error(err)
//			}
//			return err
//		}
//	})
//
// The package speaks standard types only and does not import Bulwark; an
// *errmap.Mapper is a [Mapper].
package bulwarkecho
