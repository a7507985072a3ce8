package exchange

import (
	"io"
	"net/http"
	"time"
)

// Request is the clone of the request that the exchange made. Where it is what
// a middleware was handed, the middleware may set fields of it before the
// handler runs and saves a clone of its own.
func (x *Exchange) Request() *http.Request { return &x.req }

// BreakRead ends a read that waits for the client. net/http takes the failure
// for a client that left and cancels the request's context.
func (x *Exchange) BreakRead() {
	x.readLate.Store(true)
	_ = core{x}.SetReadDeadline(past) // where it cannot be set, the read ends when the client pleases
}

// Linger lets the server read on for a moment once the response is out, and
// not for as long as the client likes: what net/http drains of a body that was
// not read to its end (256 KiB at most) it drains without a deadline.
// Answering is not held up by it.
func (x *Exchange) Linger() {
	if x.original.ProtoMajor < 2 && !x.drained.Load() && !x.hijackedNow() {
		_ = core{x}.SetReadDeadline(time.Now().Add(lingerTime))
	}
}

// CloseAfterReply makes an HTTP/1 server close the connection after the
// response, carefully enough for a client that is still sending to read it,
// and say so where the head is not out yet. An HTTP/2 stream needs none of it.
//
// net/http offers this to nobody but its own MaxBytesReader, which finds the
// server's writer only where it is not wrapped (golang.org/issue/73754).
func (x *Exchange) CloseAfterReply() {
	if x.original.ProtoMajor >= 2 || x.begin() != nil {
		return
	}
	defer x.done()
	if x.hijacked {
		return
	}
	_, _ = http.MaxBytesReader(innermost(x.inner.w), oneByte{}, 0).Read(make([]byte, 1))
	if !x.committed.Load() {
		core{x}.Header().Set("Connection", "close") // what the stack has of its own may be copied over the server's
	}
}

// oneByte is a body that is too large by one byte.
type oneByte struct{}

func (oneByte) Read(p []byte) (int, error) { return min(1, len(p)), io.EOF }
func (oneByte) Close() error               { return nil }

// WhenHijacked has f called when the connection is taken over, through whatever
// writers that happens. To be called before the handler runs.
func (x *Exchange) WhenHijacked(f func()) {
	s := x.rarely()
	if before := s.hijackHook; before != nil {
		inner := f
		f = func() { before(); inner() }
	}
	s.hijackHook = f
}
