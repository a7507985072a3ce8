package exchange

//go:generate go run shapes_gen.go

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// Which optional interfaces a writer has, as bits.
const (
	hasFlush = 1 << iota
	hasHijack
	hasReadFrom
	hasPush
	hasWriteString
	hasCloseNotify
)

// capabilities tells which optional interfaces w has.
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
	if _, ok := w.(http.CloseNotifier); ok { //nolint:staticcheck // offered because net/http still does
		has |= hasCloseNotify
	}
	return has
}

// The two shapes that net/http's servers ask for hold one pointer, so that
// they cost no allocation.
type (
	shapeHTTP1 struct{ core }
	shapeHTTP2 struct{ core }
)

func (s shapeHTTP1) Flush()                              { flusher(s.core).Flush() }
func (s shapeHTTP1) CloseNotify() <-chan bool            { return closeNotifier(s.core).CloseNotify() }
func (s shapeHTTP1) WriteString(v string) (int, error)   { return stringWriter(s.core).WriteString(v) }
func (s shapeHTTP1) ReadFrom(r io.Reader) (int64, error) { return readerFrom(s.core).ReadFrom(r) }
func (s shapeHTTP1) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return hijacker(s.core).Hijack()
}

func (s shapeHTTP2) Flush()                                   { flusher(s.core).Flush() }
func (s shapeHTTP2) CloseNotify() <-chan bool                 { return closeNotifier(s.core).CloseNotify() }
func (s shapeHTTP2) WriteString(v string) (int, error)        { return stringWriter(s.core).WriteString(v) }
func (s shapeHTTP2) Push(t string, o *http.PushOptions) error { return pusher(s.core).Push(t, o) }

// shape returns the exchange's writer with exactly the optional interfaces
// that w has: a writer that claims Flusher where there is none makes Echo
// panic and SSE libraries go deaf.
func shape(x *Exchange, w http.ResponseWriter) http.ResponseWriter {
	switch has := capabilities(w); has {
	case hasFlush | hasHijack | hasReadFrom | hasWriteString | hasCloseNotify:
		return shapeHTTP1{core{x}}
	case hasFlush | hasPush | hasWriteString | hasCloseNotify:
		return shapeHTTP2{core{x}}
	default:
		return rareShape(x, has)
	}
}
