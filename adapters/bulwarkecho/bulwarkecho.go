package bulwarkecho

import (
	"net/http"
	"reflect"

	"github.com/labstack/echo/v5"
)

// Mapper turns errors into responses. *errmap.Mapper implements it.
type Mapper interface {
	// Write responds to the request with what err maps to.
	Write(http.ResponseWriter, *http.Request, error)
	// Note adds err to the request's log record and does not change the response.
	Note(*http.Request, error)
}

// isNil reports whether errs is nil or a nil pointer, which would panic at the first
// error.
func isNil(errs Mapper) bool {
	v := reflect.ValueOf(errs)
	return errs == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// ErrorHandler returns a value for Echo's HTTPErrorHandler field that passes errors
// to errs.Write. If the response is already committed, the error is passed to
// errs.Note instead. That happens because some Echo middleware calls the error
// handler and also returns the error, so the handler is called twice for one
// request. ErrorHandler panics if errs is nil.
func ErrorHandler(errs Mapper) echo.HTTPErrorHandler {
	if isNil(errs) {
		panic("bulwarkecho: ErrorHandler: mapper is nil")
	}
	return func(c *echo.Context, err error) {
		if answered(c) {
			errs.Note(c.Request(), err)
			return
		}
		errs.Write(c.Response(), c.Request(), err)
	}
}

// Wrap returns an Echo middleware that runs a net/http middleware on a route or a
// group. It differs from echo.WrapMiddleware in two ways. First, if the wrapped
// handlers return an error, Echo's HTTPErrorHandler is called before mw returns, so
// mw sees the response; the error is then returned unchanged. Second, when mw has
// returned, c.Response() is the writer from before mw, so Echo knows that a
// response that mw itself wrote is committed. c.Request() is still the request that
// the wrapped handlers got.
//
// mw is called once per request, with that request's chain as the next handler. So
// state that mw shares between requests must be kept outside the func(http.Handler)
// http.Handler. Do not wrap middleware that runs its next handler on another
// goroutine and does not wait for it, as http.TimeoutHandler does: Echo reuses its
// contexts. Wrap panics if mw is nil.
func Wrap(mw func(http.Handler) http.Handler) echo.MiddlewareFunc {
	if mw == nil {
		panic("bulwarkecho: Wrap: middleware is nil")
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) (err error) {
			outer := c.Response()
			mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.SetRequest(r)
				c.SetResponse(echo.NewResponse(w, c.Echo().Logger))
				defer c.SetResponse(outer)
				if err = next(c); err != nil {
					c.Echo().HTTPErrorHandler(c, err)
				}
			})).ServeHTTP(&baseWriter{outer}, routed(c))
			return err
		}
	}
}

// Route is an Echo middleware that sets the request's Pattern to the route, for
// middleware around Echo. Without Route, the log record has no route if the
// response is sent at a deadline while the handler is running. Pass Route to e.Use,
// not to e.Pre, which runs before the router.
func Route(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		setPattern(c)
		return next(c)
	}
}

// routed returns the request with the route and the path parameters set, as
// http.ServeMux does.
func routed(c *echo.Context) *http.Request {
	setPattern(c)
	r := c.Request()
	for _, p := range c.PathValues() {
		r.SetPathValue(p.Name, p.Value)
	}
	return r
}

// setPattern sets the route in the request. Echo's router sets it too, but
// middleware around Echo does not know when. A response at a deadline is sent on
// another goroutine, which must not read the handler's request. So the call of
// Header makes Bulwark's writer read the route now. Only the handler's goroutine
// calls Header, but any goroutine may call the methods of the context.
func setPattern(c *echo.Context) {
	if route := c.Path(); route != "" {
		c.Request().Pattern = route
		c.Response().Header()
	}
}
