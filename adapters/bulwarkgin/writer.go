package bulwarkgin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/gin-gonic/gin"
)

// baseWriter is the writer of a wrapped middleware. It wraps Gin's writer and
// behaves as net/http's writer does. Gin's WriteHeader only stores the status, and
// the last call wins, but middleware expects that the first call sends the header.
type baseWriter struct {
	gin.ResponseWriter
	lazy atomic.Bool // WriteHeader does not send the header, see innerWriter.finish; atomic because a timer of the middleware may write
}

func (b *baseWriter) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// below returns the writer that Gin wraps, or nil if Gin does not tell.
func (b *baseWriter) below() http.ResponseWriter {
	if u, ok := b.ResponseWriter.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return nil
}

func (b *baseWriter) WriteHeader(code int) {
	if code < 100 || code > 999 { // or net/http panics when Gin has marked the response as written
		panic(fmt.Sprintf("invalid WriteHeader code %v", code)) // the same as net/http
	}
	// Gin treats an informational status as the final one, and then drops the real
	// one. So an informational status is sent through the writer that Gin wraps.
	// 101 is final.
	if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols {
		if w := b.below(); w != nil {
			w.WriteHeader(code)
		}
		return
	}
	b.ResponseWriter.WriteHeader(code)
	if !b.lazy.Load() {
		b.WriteHeaderNow()
	}
}

// FlushError flushes. Gin's Flush does not return an error, so middleware would not
// notice that a response is broken. FlushError therefore also flushes the writer
// that Gin wraps. That flush has nothing left to send, but it returns the error.
func (b *baseWriter) FlushError() error {
	b.ResponseWriter.Flush()
	if w := b.below(); w != nil {
		return http.NewResponseController(w).Flush()
	}
	return nil
}

// Hijack hijacks the connection. If the server cannot, as on HTTP/2, Gin's own
// Hijack panics and also marks the response as written. So the response to the panic
// would get the status 200.
func (b *baseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	_, nested := b.ResponseWriter.(*innerWriter)
	if w := b.below(); w != nil && !nested {
		if _, ok := w.(http.Hijacker); !ok {
			return http.NewResponseController(w).Hijack()
		}
	}
	return b.ResponseWriter.Hijack()
}

// innerWriter is c.Writer for the wrapped handlers. It is a gin.ResponseWriter
// around the middleware's ResponseWriter, and behaves as Gin's own writer does.
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

// Hijack hijacks the connection. Unlike with Gin's own writer, a failed Hijack does
// not count as a written response.
func (w *innerWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && !w.Written() {
		w.size = 0
	}
	return conn, rw, err
}

// Pusher returns Gin's Pusher if the middleware's writer has none. It may bypass
// the middleware, because a push does not affect the response.
func (w *innerWriter) Pusher() http.Pusher {
	if p, ok := w.ResponseWriter.(http.Pusher); ok {
		return p
	}
	return w.base.Pusher()
}

// CloseNotify implements gin.ResponseWriter. c.Stream calls it.
func (w *innerWriter) CloseNotify() <-chan bool {
	if n, ok := w.ResponseWriter.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	return w.base.CloseNotify()
}

// finish passes a status that was set but not written, as by c.Status(204), to the
// middleware, which would otherwise log a 200. It does not send the header, because
// outer handlers may still respond. Gin sends it when all handlers have returned;
// for a 404 or 405 of its router, Gin also writes a body.
func (w *innerWriter) finish() {
	if !w.Written() && w.status != http.StatusOK {
		w.base.lazy.Store(true)
		w.ResponseWriter.WriteHeader(w.status)
	}
}
