package bulwarkgin

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/gin-gonic/gin"
)

// baseWriter is what a wrapped middleware writes to: Gin's writer with
// net/http's manners. Gin's own WriteHeader only remembers the status, and the
// last call wins; middleware counts on the first call sending the header.
type baseWriter struct {
	gin.ResponseWriter
	lazy atomic.Bool // the header may wait, see innerWriter.finish; the middleware may be writing from a timer meanwhile
}

func (b *baseWriter) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func (b *baseWriter) WriteHeader(code int) {
	// Gin takes an informational status for the final one and then drops the
	// final one, so it goes out beneath Gin's writer. 101 is final.
	if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols {
		if u, ok := b.ResponseWriter.(interface{ Unwrap() http.ResponseWriter }); ok {
			u.Unwrap().WriteHeader(code)
		}
		return
	}
	b.ResponseWriter.WriteHeader(code)
	if !b.lazy.Load() {
		b.WriteHeaderNow()
	}
}

// FlushError flushes. Gin's own Flush does not say whether it failed, and a
// middleware would take a response that broke to have been sent; so the writer
// beneath is asked once more, which has nothing left to do then.
func (b *baseWriter) FlushError() error {
	b.ResponseWriter.Flush()
	if u, ok := b.ResponseWriter.(interface{ Unwrap() http.ResponseWriter }); ok {
		return http.NewResponseController(u.Unwrap()).Flush()
	}
	return nil
}

// innerWriter is c.Writer for the wrapped handlers: gin.ResponseWriter on top
// of the middleware's ResponseWriter, with the semantics of Gin's own.
type innerWriter struct {
	http.ResponseWriter
	base   *baseWriter
	status int
	size   int // -1 until the header is written
}

var _ gin.ResponseWriter = (*innerWriter)(nil)

func (w *innerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *innerWriter) Status() int                 { return w.status }
func (w *innerWriter) Size() int                   { return w.size }
func (w *innerWriter) Written() bool               { return w.size >= 0 }

func (w *innerWriter) WriteHeader(code int) {
	if code > 0 && !w.Written() {
		w.status = code
	}
}

func (w *innerWriter) WriteHeaderNow() {
	if !w.Written() {
		w.size = 0
		w.ResponseWriter.WriteHeader(w.status)
	}
}

func (w *innerWriter) Write(p []byte) (int, error) {
	w.WriteHeaderNow()
	n, err := w.ResponseWriter.Write(p)
	w.size += n
	return n, err
}

func (w *innerWriter) WriteString(s string) (int, error) {
	w.WriteHeaderNow()
	n, err := io.WriteString(w.ResponseWriter, s)
	w.size += n
	return n, err
}

func (w *innerWriter) Flush() { _ = w.FlushError() }

func (w *innerWriter) FlushError() error {
	w.WriteHeaderNow()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack leaves the refusal of a response that has a body to Gin's own writer
// beneath. Unlike it, a failed Hijack does not count as a written response.
func (w *innerWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && !w.Written() {
		w.size = 0
	}
	return conn, rw, err
}

// Pusher asks Gin's writer where the middleware's cannot push: a push does not
// touch the response.
func (w *innerWriter) Pusher() http.Pusher {
	if p, ok := w.ResponseWriter.(http.Pusher); ok {
		return p
	}
	return w.base.Pusher()
}

// CloseNotify is part of gin.ResponseWriter and used by c.Stream.
func (w *innerWriter) CloseNotify() <-chan bool {
	if n, ok := w.ResponseWriter.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	return w.base.CloseNotify()
}

// finish hands the middleware a status that was set and never written, as by
// c.Status(204): it would see, and log, a 200. The header does not have to go
// out for it: Gin sends it when all handlers are done, with a body of its own
// for a 404 or 405 of the router, and handlers further out may still answer.
func (w *innerWriter) finish() {
	if !w.Written() && w.status != http.StatusOK {
		w.base.lazy.Store(true)
		w.ResponseWriter.WriteHeader(w.status)
	}
}
