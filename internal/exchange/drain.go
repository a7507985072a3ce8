package exchange

import (
	"io"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/internal/respwriter"
)

// FailRead makes a blocked read fail. net/http then cancels the request's context,
// as if the client had left.
func (b *Body) FailRead() {
	x := (*Exchange)(b)
	x.state.set(readLate)
	x.serverFinished() // sets controlOff
	_ = x.controlled(func() error { return x.setReadDeadline(expired) })
}

// Linger bounds how long the server reads the rest of the body after the response,
// because net/http reads up to 256 KiB without a deadline. Linger does not delay
// the response.
func (b *Body) Linger() {
	x := (*Exchange)(b)
	if !x.http2() && !x.drained.Load() && !x.wasHijacked() {
		_ = x.drainWithin(drainTime)
	}
}

// BoundDrain bounds the time that net/http reads the body before it sends a
// response.
func (b *Body) BoundDrain() {
	x := (*Exchange)(b)
	x.state.set(bounded)
}

// boundDrain sets a read deadline if the server may read the rest of the request's
// body before it sends the head of the response. A client that does not send the
// rest must not delay the response. wmu is held.
func (x *Exchange) boundDrain() bool {
	if x.flushed || x.written > bufferedHTTP1 {
		return false
	}
	return x.boundRead()
}

// boundRead sets a read deadline for a read that net/http does by itself.
func (x *Exchange) boundRead() bool {
	if x.drained.Load() || x.state.has(readLate) || x.http2() || x.extras().fullDuplex.Load() {
		return false
	}
	if x.innermost.Load() == nil && !x.state.has(bounded) {
		return false
	}
	wait := drainTime
	if d, at := x.due(); d != nil {
		wait = min(wait, (at-x.Now())/2)
	}
	return x.drainWithin(wait) == nil
}

// drainWithin sets a read deadline for what net/http reads by itself.
func (x *Exchange) drainWithin(wait time.Duration) error {
	at := x.Now() + wait
	x.drainBy.Store(int64(max(1, at)))
	return x.controlled(func() error { return x.setReadDeadline(x.start.Add(at)) })
}

// unboundDrain restores the previous read deadline.
func (x *Exchange) unboundDrain() {
	if x.state.has(readLate) {
		return
	}
	if x.passedBy(&x.drainBy) {
		x.state.set(readLate) // the server's read failed, so the connection cannot be reused
		return
	}
	x.drainBy.Store(0)
	_ = x.controlled(func() error { return x.setReadDeadline(x.ownReadDeadline()) })
}

// ownReadDeadline returns the read deadline that the handler or the server has
// set.
func (x *Exchange) ownReadDeadline() time.Time {
	switch by := time.Duration(x.extras().readBy.Load()); by {
	case 0:
	case noDeadline:
		return time.Time{}
	default:
		return x.start.Add(by)
	}
	if srv := x.server(); srv != nil && srv.ReadTimeout > 0 {
		return x.start.Add(srv.ReadTimeout)
	}
	return time.Time{}
}

// CloseAfterReply makes an HTTP/1 server close the connection after the response,
// in a way that lets a client that is still sending read it, and sets Connection:
// close if the head has not been sent yet. It does nothing on HTTP/2. It may be
// called from any goroutine, and takes effect when the head is sent.
//
// net/http offers this only to its own MaxBytesReader. MaxBytesReader finds the
// server's writer only if the writer is not wrapped (golang.org/issue/73754).
func (r *Response) CloseAfterReply() {
	x := (*Exchange)(r)
	if !x.http2() {
		x.closing.CompareAndSwap(closeNot, closeAsked)
	}
}

// Refusing declares that the response written next refuses the request.
func (r *Response) Refusing() {
	x := (*Exchange)(r)
	x.ensureExtras().refusing.Store(true)
}

// The states of CloseAfterReply.
const (
	closeNot uint32 = iota
	closeAsked
	closeDone
)

// closeBeforeHead does what CloseAfterReply has requested, immediately before the
// head is passed to the server.
func (x *Exchange) closeBeforeHead() {
	if x.extras().refusing.Load() && x.http2() {
		deleteFields(x.inner.Header(), "Connection") // on HTTP/2 it would close the connection with all its streams
	}
	if x.closing.Load() == closeAsked {
		x.closeNow()
		x.inner.Header().Set("Connection", "close") // set it in the inner writer's map, which may not be the server's
	}
}

// closeAfterHead does what CloseAfterReply has requested, after the head was passed
// to the server.
func (x *Exchange) closeAfterHead() {
	if x.closing.Load() == closeAsked && x.committed.Load() && !x.hijacked.Load() {
		x.closeNow()
	}
}

func (x *Exchange) closeNow() {
	x.closing.Store(closeDone)
	_, _ = http.MaxBytesReader(respwriter.Innermost(x.inner), oneByte{}, 0).Read(make([]byte, 1))
}

// oneByte is a body that is too large by one byte.
type oneByte struct{}

func (oneByte) Read(p []byte) (int, error) { return min(1, len(p)), io.EOF }
func (oneByte) Close() error               { return nil }
