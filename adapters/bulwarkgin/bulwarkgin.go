package bulwarkgin

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Mapper turns errors into responses. *errmap.Mapper is one.
type Mapper interface {
	// Write answers the request with what err maps to.
	Write(http.ResponseWriter, *http.Request, error)
	// Note records err as the request's cause and leaves the response alone.
	Note(*http.Request, error)
}

// Errors renders the last of c.Errors through errs when the handlers are done
// and nothing was written. Where something was, the response stands and the
// error is only noted: a handler that calls c.JSON(409, …) and then c.Error
// keeps its answer. errs gets the error as the handler gave it, without Gin's
// wrapper around it.
//
// It also sets the request's Pattern to c.FullPath. Errors panics if errs is nil.
func Errors(errs Mapper) gin.HandlerFunc {
	if errs == nil {
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

// Handler lets h return its error: it is put into c.Errors and the handlers
// that follow are skipped, as after c.AbortWithError, but nothing is written.
// [Errors] renders it. Handler panics if h is nil.
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

// Wrap uses a net/http middleware on a route or a group. What comes after it
// in Gin's chain is the middleware's next handler; if the middleware does not
// call it, the chain is aborted. c.Request stays the request that the wrapped
// handlers saw, so that what the middleware put into its context can be read
// further out; c.Writer is as before once they return.
//
// mw is called once per request, with that request's chain as the next
// handler, so whatever it counts or remembers belongs outside the
// func(http.Handler) http.Handler. A middleware that runs next on a goroutine
// of its own and does not wait for it, as http.TimeoutHandler does, must not
// be wrapped: Gin reuses its contexts. Wrap panics if mw is nil.
func Wrap(mw func(http.Handler) http.Handler) gin.HandlerFunc {
	if mw == nil {
		panic("bulwarkgin: Wrap: middleware is nil")
	}
	return func(c *gin.Context) {
		setPattern(c)
		outer, ran := c.Writer, false
		base := &baseWriter{ResponseWriter: outer}
		// Read before mw runs: from then on a middleware with a deadline may
		// write through base at any time.
		status, size := outer.Status(), outer.Size()

		mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner := &innerWriter{ResponseWriter: w, base: base, status: status, size: size}
			c.Request, c.Writer = r, inner
			defer func() { c.Writer = outer }()
			c.Next()
			inner.finish()
			ran = true
		})).ServeHTTP(base, c.Request)

		// Not called, or left by a panic that mw recovered from: Gin would
		// go on with the next handler of the chain.
		if !ran {
			c.Abort()
		}
	}
}

// setPattern puts the route where net/http keeps it. FullPath is known before
// the first handler runs, and it must be told by then: a response that is sent
// at a deadline, from another goroutine, cannot wait for the handler and must
// not read its request. Asking the writer for its header, which only a handler
// on its own goroutine does, is the hint for whoever owns that writer to pick
// the route up now. The context's methods are no such hint: they are called
// from anywhere.
func setPattern(c *gin.Context) {
	if route := c.FullPath(); route != "" {
		c.Request.Pattern = route
		c.Writer.Header()
	}
}
