package exchange

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// writing is the response half of an exchange. Its fields are guarded by wmu
// unless they say otherwise.
type writing struct {
	inner   inner
	wmu     sync.Mutex // held while something is written
	control sync.Mutex // guards off, and the calls that move deadlines

	gate      atomic.Uint32 // open, busy, closed
	headers   atomic.Uint32 // whose header map the handler works on
	committed atomic.Bool
	status    int32 // the final status handed to the server

	off      bool // ResponseController calls are refused
	sealed   seal // why the gate is closed
	flushed  bool // the head is known to be on the wire
	hijacked bool
	cut      bool
	timedOut bool // the server's WriteTimeout had passed

	own      http.Header   // the handler's header map, made when first touched; guarded by life.mu
	declared int64         // Content-Length of the response, -1 where none was declared
	written  int64         // bytes of the body that the server took
	started  time.Duration // when the response was committed, from the start of the request
	last     atomic.Int64  // when something was last written, from the start, in nanoseconds
}

// States of the gate. A write goes from open to busy and back; whoever closes
// the gate learns whether one is under way.
const (
	gateOpen   uint32 = 0
	gateBusy   uint32 = 1
	gateClosed uint32 = 2

	// What whoever closed it knew, see ClientGone.
	gateLate   uint32 = 4  // the deadline closed it, and ends the context
	gateBroken uint32 = 8  // the transport is ours to break from here on
	gateGone   uint32 = 16 // the client had left before that

	gateDeparted uint32 = 32 // the client's leaving closed it
)

// seal says why writes are refused.
type seal uint8

const (
	sealedLate seal = iota // the deadline passed; also while that is not yet written down
	sealedCut
	sealedOver
	sealedGone
)

var (
	errCut  = errors.New("bulwark: the response was cut off")
	errOver = errors.New("bulwark: the request is over")
)

func (s seal) err() error {
	switch s {
	case sealedCut:
		return errCut
	case sealedOver:
		return errOver
	case sealedGone:
		return ErrClientGone
	default:
		return http.ErrHandlerTimeout
	}
}

// begin lets an operation on the wire start, or says why none may any more.
// After a nil error done must be deferred.
func (x *Exchange) begin() error {
	if x.overdue() {
		x.enforce(false)
	}
	x.wmu.Lock()
	if x.gate.CompareAndSwap(gateOpen, gateBusy) {
		return nil
	}
	err := x.sealed.err()
	x.wmu.Unlock()
	return err
}

func (x *Exchange) done() {
	x.gate.And(^gateBusy)
	x.wmu.Unlock()
}

// core is what every shape of the writer has. It holds a pointer and nothing
// else, so that a shape made of it is an interface value without an allocation.
type core struct{ x *Exchange }

func (c core) exchange() *Exchange { return c.x }

// Unwrap returns the server's writer, for http.ResponseController and for
// http.MaxBytesReader's way of closing the connection.
func (c core) Unwrap() http.ResponseWriter { return c.x.inner.w }

// WriteHeader sends the head. Informational responses pass and commit nothing,
// 101 is final.
func (c core) WriteHeader(code int) {
	x := c.x
	if x.begin() != nil {
		return
	}
	defer x.done()
	switch {
	case x.hijacked, x.committed.Load():
		x.logSuperfluous("WriteHeader", x.hijacked)
	case code >= 100 && code < 200 && code != http.StatusSwitchingProtocols:
		x.inform(code)
	default:
		x.publish()
		x.inner.w.WriteHeader(code) // panics for an impossible code, as it does without us
		x.commit(code)
	}
}

// inform sends a 1xx with the handler's headers of the moment. They are taken
// back afterwards: an answer of the deadline's must not inherit them.
func (x *Exchange) inform(code int) {
	if x.headers.Load() == headersOwn {
		wire := x.inner.w.Header()
		before := wire.Clone()
		defer func() {
			clear(wire)
			maps.Copy(wire, before)
		}()
	}
	x.publish()
	if wire := x.inner.w.Header(); x.original.ProtoMajor == 2 && x.headers.Load() == headersOwn {
		// HTTP/2 hands the map itself to the goroutine that writes the frame, and does
		// not wait for that on a connection that breaks. Only where it has to take out
		// a length, which an informational response has not, does it make a copy.
		wire.Set("Content-Length", "0")
	}
	x.inner.w.WriteHeader(code)
}

// commit records the final status.
func (x *Exchange) commit(code int) {
	x.committed.Store(true)
	x.status = int32(code)
	x.declared = -1
	if told := x.rare().commitHook; told != nil {
		told(x.inner.w.Header())
	}
	streams := x.streams()
	if streams || x.observed.Load() { // else nobody asks
		x.started = x.Now()
		x.last.Store(int64(x.started))
	}
	if v, ok := x.inner.w.Header()["Content-Length"]; ok && len(v) == 1 {
		if n, err := strconv.ParseInt(v[0], 10, 64); err == nil && n >= 0 {
			x.declared = n
		}
	}
	if code == http.StatusSwitchingProtocols {
		x.lift()
	} else if streams {
		x.streamBegan()
	}
}

// implicit is the 200 that a first Write or Flush sends.
func (x *Exchange) implicit() {
	if !x.committed.Load() {
		x.publish()
		x.commit(http.StatusOK)
	}
}

// Write writes to the response. After a deadline it is refused with
// http.ErrHandlerTimeout.
func (c core) Write(p []byte) (int, error) {
	x := c.x
	if err := x.begin(); err != nil {
		return 0, err
	}
	defer x.done()
	if x.hijacked {
		return 0, x.onHijacked(len(p))
	}
	x.implicit()
	return inPieces(x, p, x.inner.w.Write)
}

// wrote accounts for a write.
func (x *Exchange) wrote(n int64, err error) {
	x.written += n
	if x.streams() {
		x.last.Store(int64(x.Now()))
	}
	if err != nil && x.rare().writeErr == nil && !errors.Is(err, http.ErrBodyNotAllowed) &&
		!errors.Is(err, http.ErrContentLength) {
		x.rarely().writeErr = err
		if x.original.ProtoMajor >= 2 && x.pastWriteTimeout() {
			x.timedOut = true // the stream was reset for that, and the error does not say so
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) && x.ClientGone() {
			x.departs()
		}
	}
}

// onHijacked answers a write to a connection that is no longer ours.
func (x *Exchange) onHijacked(n int) error {
	if n > 0 {
		x.logSuperfluous("Write", true)
	}
	return http.ErrHijacked
}

// FlushError flushes, with an error matching http.ErrNotSupported where the
// server's writer cannot.
func (c core) FlushError() error {
	x := c.x
	if err := x.begin(); err != nil {
		return err
	}
	defer x.done()
	if !x.hijacked && canFlush(x.inner.w) {
		x.implicit()
	}
	err := x.flush()
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		x.wrote(0, err)
	}
	return err
}

// flush hands what was written to the kernel.
func (x *Exchange) flush() error {
	eaten := x.eaten()
	err := x.inner.flush()
	if err == nil || eaten {
		x.flushed = true
		return nil
	}
	return err
}

// eaten reports whether what is written next is not sent: HTTP/2 ends the stream
// of an answer to HEAD with its head. The server eats the rest, but its writer
// may fail with that very end, and the request's context ends with the stream.
func (x *Exchange) eaten() bool {
	return x.original.ProtoMajor >= 2 && x.original.Method == http.MethodHead && (x.onWire() || !x.ClientGone())
}

// SetReadDeadline, SetWriteDeadline and EnableFullDuplex are those of
// http.ResponseController, refused once the response is no longer the
// handler's.
func (c core) SetReadDeadline(t time.Time) error {
	return c.x.controlled(func(in inner) error { return in.setReadDeadline(t) })
}

// SetWriteDeadline: see SetReadDeadline.
func (c core) SetWriteDeadline(t time.Time) error {
	return c.x.controlled(func(in inner) error {
		c.x.keepWriteDeadline(t)
		return in.setWriteDeadline(t)
	})
}

// EnableFullDuplex: see SetReadDeadline.
func (c core) EnableFullDuplex() error {
	return c.x.controlled(func(in inner) error { return http.NewResponseController(in.w).EnableFullDuplex() })
}

func (x *Exchange) controlled(f func(inner) error) error {
	x.control.Lock()
	defer x.control.Unlock()
	if x.off {
		return http.ErrHandlerTimeout
	}
	return f(x.inner)
}
