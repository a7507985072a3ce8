package bulwarkgin

import (
	"net/http"
	"reflect"

	"github.com/gin-gonic/gin"
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

// Errors is middleware that responds to the errors of handlers. When the handlers
// have returned without writing a response, it passes the last of c.Errors to
// errs.Write. If a handler has written a response, the error is passed to errs.Note
// instead: a handler that calls c.JSON(409, …) and then c.Error keeps its response.
// errs gets the error that the handler passed to c.Error, without Gin's wrapper.
//
// Errors also sets the request's Pattern to c.FullPath. It panics if errs is nil.
func Errors(errs Mapper) gin.HandlerFunc {
	if isNil(errs) {
		panic("bulwarkgin: Errors: mapper is nil")
	}
	return func(c *gin.Context) {
		setPattern(c)
		c.Next()

		last := c.Errors.Last()
		switch {
		case last == nil:
		case c.Writer.Written():
			errs.Note(c.Request, last.Err)
		default:
			errs.Write(c.Writer, c.Request, last.Err)
		}
	}
}

// Handler returns a handler that calls h. If h returns an error, Handler adds the
// error to c.Errors and skips the handlers that follow, as c.AbortWithError does.
// It writes nothing, because [Errors] responds. Handler panics if h is nil.
func Handler(h func(*gin.Context) error) gin.HandlerFunc {
	if h == nil {
		panic("bulwarkgin: Handler: handler is nil")
	}
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			_ = c.Error(err) // returns what it stored, not a failure
			c.Abort()
		}
	}
}

// Wrap returns a Gin handler that runs a net/http middleware on a route or a group.
// The middleware's next handler is the rest of Gin's chain. If the middleware does
// not call its next handler, the chain is aborted. When the middleware has
// returned, c.Writer is the writer from before it, but c.Request is still the
// request that the wrapped handlers got, so outer handlers can read what the
// middleware has put into the request's context.
//
// mw is called once per request, with that request's chain as the next handler. So
// state that mw shares between requests must be kept outside the func(http.Handler)
// http.Handler. Do not wrap middleware that runs its next handler on another
// goroutine and does not wait for it, as http.TimeoutHandler does: Gin reuses its
// contexts. If mw has a deadline, do not call c.Copy after the deadline: it reads the
// state of Gin's own writer, through which mw may respond at that moment. Wrap panics
// if mw is nil.
func Wrap(mw func(http.Handler) http.Handler) gin.HandlerFunc {
	if mw == nil {
		panic("bulwarkgin: Wrap: middleware is nil")
	}
	return func(c *gin.Context) {
		setPattern(c)
		outer, ran := c.Writer, false
		base := &baseWriter{ResponseWriter: outer}
		// The values are read before mw runs. After that, middleware with a
		// deadline may write through base at any time.
		status, size := outer.Status(), outer.Size()

		mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner := &innerWriter{ResponseWriter: w, base: base, status: status, size: size}
			c.Request, c.Writer = r, inner
			defer func() { c.Writer = outer }()
			c.Next()
			inner.finish()
			ran = true
		})).ServeHTTP(base, c.Request)

		// mw did not call its next handler, or recovered a panic of it. Without
		// Abort, Gin would continue with the next handler of the chain.
		if !ran {
			c.Abort()
		}
	}
}

// setPattern sets the route in the request, as http.ServeMux does. A response at a
// deadline is sent on another goroutine, which must not read the handler's request.
// So the call of Header makes Bulwark's writer read the route now. Only the
// handler's goroutine calls Header, but any goroutine may call the methods of the
// context.
func setPattern(c *gin.Context) {
	if route := c.FullPath(); route != "" {
		c.Request.Pattern = route
		c.Writer.Header()
	}
}
