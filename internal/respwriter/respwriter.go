// Package respwriter wraps a ResponseWriter. The wrapper has exactly the optional
// interfaces that the ResponseWriter has. If a wrapper claims to be a Flusher but
// cannot flush, frameworks panic. If a wrapper hides a Flusher, event streams are
// not flushed.
package respwriter

//go:generate go run shapes_gen.go

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// Writer is a wrapper with all optional interfaces. Methods of interfaces that
// the wrapped writer lacks are never called.
type Writer interface { //nolint:interfacebloat // it is all of net/http's optional interfaces in one
	comparable
	http.ResponseWriter
	Unwrap() http.ResponseWriter
	FlushError() error
	Hijack() (net.Conn, *bufio.ReadWriter, error)
	ReadFrom(io.Reader) (int64, error)
	Push(string, *http.PushOptions) error
	WriteString(string) (int, error)
	CloseNotify() <-chan bool
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	EnableFullDuplex() error
}

// core has the methods of every shape. P is a pointer, so that converting a core
// to an interface does not allocate.
type core[P Writer] struct{ p P }

func (c core[P]) Header() http.Header                { return c.p.Header() }
func (c core[P]) Write(b []byte) (int, error)        { return c.p.Write(b) }
func (c core[P]) WriteHeader(code int)               { c.p.WriteHeader(code) }
func (c core[P]) Unwrap() http.ResponseWriter        { return c.p.Unwrap() }
func (c core[P]) FlushError() error                  { return c.p.FlushError() }
func (c core[P]) SetReadDeadline(t time.Time) error  { return c.p.SetReadDeadline(t) }
func (c core[P]) SetWriteDeadline(t time.Time) error { return c.p.SetWriteDeadline(t) }
func (c core[P]) EnableFullDuplex() error            { return c.p.EnableFullDuplex() }
func (c core[P]) String() string                     { return "bulwark.ResponseWriter" }
func (c core[P]) wrapper() P                         { return c.p }

// The optional interfaces. Each is a separate type, so that a shape can embed
// exactly the interfaces that it should have.
type (
	flusher[P Writer]       struct{ p P }
	hijacker[P Writer]      struct{ p P }
	readerFrom[P Writer]    struct{ p P }
	pusher[P Writer]        struct{ p P }
	stringWriter[P Writer]  struct{ p P }
	closeNotifier[P Writer] struct{ p P }
)

func (f flusher[P]) Flush()                                        { _ = f.p.FlushError() }
func (h hijacker[P]) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.p.Hijack() }
func (r readerFrom[P]) ReadFrom(src io.Reader) (int64, error)      { return r.p.ReadFrom(src) }
func (p pusher[P]) Push(target string, o *http.PushOptions) error  { return p.p.Push(target, o) }
func (s stringWriter[P]) WriteString(str string) (int, error)      { return s.p.WriteString(str) }
func (c closeNotifier[P]) CloseNotify() <-chan bool                { return c.p.CloseNotify() }

// The two shapes for net/http's servers.
type (
	http1[P Writer] struct{ core[P] }
	http2[P Writer] struct{ core[P] }
)

func (s http1[P]) Flush()                                       { _ = s.p.FlushError() }
func (s http1[P]) CloseNotify() <-chan bool                     { return s.p.CloseNotify() }
func (s http1[P]) WriteString(v string) (int, error)            { return s.p.WriteString(v) }
func (s http1[P]) ReadFrom(r io.Reader) (int64, error)          { return s.p.ReadFrom(r) }
func (s http1[P]) Hijack() (net.Conn, *bufio.ReadWriter, error) { return s.p.Hijack() }

func (s http2[P]) Flush()                                   { _ = s.p.FlushError() }
func (s http2[P]) CloseNotify() <-chan bool                 { return s.p.CloseNotify() }
func (s http2[P]) WriteString(v string) (int, error)        { return s.p.WriteString(v) }
func (s http2[P]) Push(t string, o *http.PushOptions) error { return s.p.Push(t, o) }

// Which optional interfaces a writer has, as bits.
const (
	hasFlush = 1 << iota
	hasHijack
	hasReadFrom
	hasPush
	hasWriteString
	hasCloseNotify
)

// common has the optional interfaces of both of net/http's servers.
type common interface {
	http.Flusher
	io.StringWriter
	http.CloseNotifier //nolint:staticcheck // offered because net/http still does
}

// Wrap returns a writer with the methods of p and exactly the optional interfaces
// of w.
func Wrap[P Writer](w http.ResponseWriter, p P) http.ResponseWriter {
	if _, ok := w.(common); ok {
		_, push := w.(http.Pusher)
		if h, ok := w.(interface {
			http.Hijacker
			io.ReaderFrom
		}); ok && !push && h != nil {
			return http1[P]{core[P]{p}}
		}
		_, hijack := w.(http.Hijacker)
		_, readFrom := w.(io.ReaderFrom)
		if push && !hijack && !readFrom {
			return http2[P]{core[P]{p}}
		}
	}
	return rareShape(p, capabilities(w))
}

// capabilities returns which optional interfaces w has.
func capabilities(w http.ResponseWriter) (has uint) {
	if _, ok := w.(http.Flusher); ok {
		has |= hasFlush
	}
	if _, ok := w.(http.Hijacker); ok {
		has |= hasHijack
	}
	if _, ok := w.(io.ReaderFrom); ok {
		has |= hasReadFrom
	}
	if _, ok := w.(http.Pusher); ok {
		has |= hasPush
	}
	if _, ok := w.(io.StringWriter); ok {
		has |= hasWriteString
	}
	if _, ok := w.(http.CloseNotifier); ok { //nolint:staticcheck // see common
		has |= hasCloseNotify
	}
	return has
}

// maxUnwrap bounds the walk through wrapped writers, because a writer may unwrap to
// itself.
const maxUnwrap = 64

// Walk calls f for w and then for each writer to which the one before unwraps,
// until f returns false or a writer does not unwrap.
func Walk(w http.ResponseWriter, f func(http.ResponseWriter) bool) {
	for range maxUnwrap {
		if w == nil || !f(w) {
			return
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = u.Unwrap()
	}
}

// Find returns the P that w wraps, directly or through other writers.
func Find[P Writer](w http.ResponseWriter) (p P, found bool) {
	if p, found = Is[P](w); found { // nearly always true
		return p, true
	}
	Walk(w, func(w http.ResponseWriter) bool {
		p, found = Is[P](w)
		return !found
	})
	return p, found
}

// Is returns the P that w was made from, if Wrap made w from a P.
func Is[P Writer](w http.ResponseWriter) (p P, ok bool) {
	s, ok := w.(interface{ wrapper() P })
	if !ok {
		return p, false
	}
	return s.wrapper(), true
}

// Innermost returns the writer at the end of the chain of Unwrap.
func Innermost(w http.ResponseWriter) http.ResponseWriter {
	last := w
	Walk(w, func(w http.ResponseWriter) bool { last = w; return true })
	return last
}

// CanFlush reports whether w or a writer that it wraps can flush. A flush that
// cannot succeed must not commit a response.
func CanFlush(w http.ResponseWriter) (can bool) {
	Walk(w, func(w http.ResponseWriter) bool {
		switch w.(type) {
		case interface{ FlushError() error }, http.Flusher:
			can = true
		}
		return !can
	})
	return can
}

// ReportsFlush reports whether the writer that flushes for w returns the errors. It
// does not if it has only a Flush method.
func ReportsFlush(w http.ResponseWriter) (reports bool) {
	Walk(w, func(w http.ResponseWriter) bool {
		if _, reports = w.(interface{ FlushError() error }); reports {
			return false
		}
		_, flusher := w.(http.Flusher)
		return !flusher
	})
	return reports
}
