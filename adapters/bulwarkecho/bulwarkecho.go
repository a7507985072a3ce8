package bulwarkecho

import (
	"net/http"

	"github.com/labstack/echo/v5"
)

// Mapper turns errors into responses. *errmap.Mapper is one.
type Mapper interface {
	// Write answers the request with what err maps to.
	Write(http.ResponseWriter, *http.Request, error)
	// Note records err as the request's cause and leaves the response alone.
	Note(*http.Request, error)
}

// ErrorHandler renders errors through errs, for Echo's HTTPErrorHandler field.
// Where the response is committed it stands, and the error is only noted: some
// Echo middleware calls the error handler itself and returns the error as
// well, which makes two calls for one request. ErrorHandler panics if errs is nil.
func ErrorHandler(errs Mapper) echo.HTTPErrorHandler {
	if errs == nil {
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

// Wrap uses a net/http middleware on a route or a group. It differs from
// echo.WrapMiddleware in two ways: an error of the wrapped handlers is rendered
// by Echo's HTTPErrorHandler before mw returns, so that mw sees it, and returned
// unchanged; and c.Response() is afterwards what it was before, so that a
// response that mw wrote itself counts as committed. c.Request() stays the
// request that the wrapped handlers saw.
//
// mw is called once per request, with that request's chain as the next
// handler, so whatever it counts or remembers belongs outside the
// func(http.Handler) http.Handler. A middleware that runs next on a goroutine
// of its own and does not wait for it, as http.TimeoutHandler does, must not
// be wrapped: Echo reuses its contexts. Wrap panics if mw is nil.
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

// Route is a middleware that tells the route to whoever wraps Echo. Without it
// a response that is sent at a deadline, while the handler is running, is
// logged without its route. It belongs to e.Use, for e.Pre comes before the
// router.
func Route(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		setPattern(c)
		return next(c)
	}
}

// routed gives the wrapped middleware the route and the path parameters where
// net/http keeps them.
func routed(c *echo.Context) *http.Request {
	setPattern(c)
	r := c.Request()
	for _, p := range c.PathValues() {
		r.SetPathValue(p.Name, p.Value)
	}
	return r
}

// setPattern puts the route where net/http keeps it; Echo's router does so too,
// but nobody outside knows when. Asking the writer for its header, which only a
// handler on its own goroutine does, is the hint for whoever owns that writer
// to pick the route up now: a response that is sent at a deadline, from another
// goroutine, must not read the request. The context's methods are no such hint:
// they are called from anywhere.
func setPattern(c *echo.Context) {
	if route := c.Path(); route != "" {
		c.Request().Pattern = route
		c.Response().Header()
	}
}
