package bulwarkecho

import (
	"bufio"
	"net"
	"net/http"

	"github.com/labstack/echo/v5"
)

// baseWriter is the writer of a wrapped middleware. It wraps Echo's writer and
// behaves as net/http's writer does. *echo.Response treats an informational status
// as the final one and ignores the real one, so a 200 would be sent.
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

// Flush and Hijack exist because *echo.Response has them and some middleware looks
// for them with type assertions.

func (b *baseWriter) Flush() { _ = b.FlushError() }

// FlushError flushes. Echo's Flush does not return an error, so middleware would
// not notice that a response is broken. FlushError therefore also flushes the
// writer that Echo wraps. That flush has nothing left to send, but it returns the
// error.
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

// informational reports whether code is sent before the final status. 101 is final.
func informational(code int) bool {
	return code >= 100 && code < 200 && code != http.StatusSwitchingProtocols
}

// answered reports whether the response is committed. Echo also marks a response as
// committed if the handler has sent only an informational status; answered clears that
// mark, so that the response can be written.
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
