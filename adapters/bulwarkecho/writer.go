package bulwarkecho

import (
	"bufio"
	"net"
	"net/http"

	"github.com/labstack/echo/v5"
)

// baseWriter is what a wrapped middleware writes to: Echo's writer with
// net/http's manners. *echo.Response takes an informational status for the
// response and refuses the final one after it, so that a 200 would go out
// whatever the middleware sent and believes it sent.
type baseWriter struct{ http.ResponseWriter }

func (b *baseWriter) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func (b *baseWriter) WriteHeader(code int) {
	if informational(code) {
		if res, _ := echo.UnwrapResponse(b.ResponseWriter); res != nil {
			res.Unwrap().WriteHeader(code)
			return
		}
	}
	b.ResponseWriter.WriteHeader(code)
}

// Flush and Hijack are there because *echo.Response has them, and some
// middleware asks by type.

func (b *baseWriter) Flush() { _ = b.FlushError() }

// FlushError flushes. Echo's own Flush does not say whether it failed, and a
// middleware would take a response that broke to have been sent; so the writer
// beneath is asked once more, which has nothing left to do then.
func (b *baseWriter) FlushError() error {
	err := http.NewResponseController(b.ResponseWriter).Flush()
	if res, _ := echo.UnwrapResponse(b.ResponseWriter); err == nil && res != nil {
		err = http.NewResponseController(res.Unwrap()).Flush()
	}
	return err
}

func (b *baseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(b.ResponseWriter).Hijack()
}

// informational reports whether code comes before the response; 101 is one.
func informational(code int) bool {
	return code >= 100 && code < 200 && code != http.StatusSwitchingProtocols
}

// answered reports whether the response is committed. Echo says so also of one
// that a handler sent an informational status for, and nothing else; that one
// is given back to be written.
func answered(c *echo.Context) bool {
	res, _ := echo.UnwrapResponse(c.Response())
	if res == nil || !res.Committed {
		return false
	}
	if informational(res.Status) && res.Size == 0 {
		res.Committed = false
	}
	return res.Committed
}
