// Package bulwarkecho connects Echo v5 to Bulwark. It passes errors to an error
// mapper, sets the route, and runs net/http middleware on a route or a group. Echo
// v4 needs no adapter; see "Echo v4" below.
//
// # From an existing service
//
// Wrap the whole of Echo. An *echo.Echo is an http.Handler. Five statements change:
//
//	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{…}})
//	e.HTTPErrorHandler = bulwarkecho.ErrorHandler(errs)
//	e.Use(bulwarkecho.Route) // before every other Use
//	stack := bulwark.New(bulwark.Config{Timeout: timeout.Config{Limit: 5 * time.Second}, Errors: errs})
//	err := (&http.Server{Addr: ":8080", Handler: stack(e)}).ListenAndServe() // was e.Start(":8080")
//
// docs/migration.md in the repository shows what changes for clients and in the log,
// compared with Echo's own middleware.
//
// # Ordering
//
// Echo calls its error handler after all its middleware has returned. That is early
// enough for a stack around Echo, but middleware on a route or a group would not
// see the response. [Wrap] therefore calls the error handler before the middleware
// returns. It also returns the error to outer Echo middleware, so Echo calls the
// error handler a second time. That call only adds the error to the log record.
//
// # What to remove
//
//   - middleware.RequestLogger and Recover. The stack logs and recovers. Echo's
//     Recover would turn a panic into an error, and the outcome in the log would
//     not be panic.
//   - middleware.ContextTimeout and BodyLimit. The stack enforces both, also for
//     the responses of Echo itself.
//   - middleware.RequestID. The response has the request id of the log record in
//     X-Request-Id.
//   - echo.WrapMiddleware around Bulwark's middleware. Use [Wrap] instead.
//
// Keep CORS, Gzip, sessions and authentication.
//
// # Errors
//
// The mapper gets the error exactly as it was returned, with its tree of causes.
// *errmap.Mapper tries its rules on the whole tree. If no rule matches, the
// response has the status of an *echo.HTTPError, or the router's 404 or 405:
//
//   - echo.ErrNotFound and echo.NewHTTPError(409, "taken") keep their status. The
//     client sees the message only if a rule says so.
//   - echo.ErrBadRequest.Wrap(cause), which Echo's binder returns, is 400 unless a
//     rule matches the cause. So a body over its limit is 413. Use
//     errmap.DecodeJSON(c.Request(), &v) to tell the client where the mistake is.
//
// To show the messages of all *echo.HTTPError to clients, put this rule last:
//
//	errmap.As(func(e *echo.HTTPError) errmap.Problem { return errmap.Problem{Status: e.Code, Title: e.Message} })
//
// If the response is committed, the error is only added to the log record, because
// Echo also calls the error handler with errors that already have a response. To
// abort a response that has failed half-way, call Write. The client then sees that
// the response is not complete:
//
//	errs.Write(c.Response(), c.Request(), err) // aborts the response, and adds err to the log record
//	return nil
//
// An errmap.Handler, with echo.WrapHandler, does this for every error.
//
// # Informational responses
//
// Echo's writer treats a 103 as the final status. It sends the 103 and ignores the
// next status, so the response is a 200. To send a 103 before another status, use
// the writer that Echo wraps. (If a handler returns an error after a 103, the
// response to the error is sent.)
//
//	c.Response().(interface{ Unwrap() http.ResponseWriter }).Unwrap().WriteHeader(http.StatusEarlyHints)
//
// # echo.WrapMiddleware
//
// In v4 and v5, echo.WrapMiddleware returns the error of the handlers after the
// middleware has returned, and c.Response() stays the middleware's writer. For
// Bulwark's middleware this means:
//
//   - The outermost Bulwark middleware ends the request when it returns. If that
//     middleware was wrapped with echo.WrapMiddleware, Echo's response to an error
//     comes later and is lost: the client gets an empty 200, and the log record has
//     200. If Echo is wrapped as a whole, middleware on a route (timeout.Override,
//     limits.Override) is not the outermost one, and works.
//   - A 103 goes through Echo's writer, and the response is a 200.
//
// # Echo v4
//
// Wrap the whole of Echo, as with v5. This module is for v5 only. With v4, write
// the three parts below: a rule for v4's errors, which have no StatusCode method
// (put it last in errmap.Config.Rules), an error handler, and middleware that sets
// the route:
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
//			c.Response().Header() // makes Bulwark's writer read the route now
//			return next(c)
//		}
//	})
//
// Remove the middleware Logger, RequestLogger, Recover, Timeout, ContextTimeout,
// BodyLimit and RequestID of Echo v4. If the stack must be on a route or a group,
// add middleware inside the stack that renders the error before the stack returns:
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
// The package does not import Bulwark: a [Mapper] has only types of the standard
// library.
package bulwarkecho
