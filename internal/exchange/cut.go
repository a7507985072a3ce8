package exchange

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// How long the server may take to hand what is ours to the kernel: a whole
// answer, or what there was of a response that breaks off. A client that does
// not read must not hold the timer's goroutine; a machine that is starved should
// still get the answer out.
const (
	graceAnswer = 5 * time.Second
	graceBreak  = time.Second
)

// breakIn closes the gate for the deadline: a write that is under way is
// broken, and broken says that there was one. Nobody but the caller writes from
// here on.
func (x *Exchange) breakIn() (broken bool) {
	return x.shut(x.gate.Or(gateClosed|gateLate|x.broken()), sealedLate)
}

// shut waits for the gate to be closed in earnest, which was in state before.
func (x *Exchange) shut(before uint32, why seal) (broken bool) {
	busy := before&gateBusy != 0
	if busy && !x.wmu.TryLock() {
		broken = true
		_ = x.inner.setWriteDeadline(past)
		x.wmu.Lock()
	} else if !busy {
		x.wmu.Lock()
	}
	x.sealed = why
	x.wmu.Unlock()
	x.controlsOff()
	return broken
}

// broken are the bits that say that the transport is ours to break, and whether
// the client had left before: net/http cancels the request's context for a
// write that failed as it does for a client that left.
func (x *Exchange) broken() uint32 {
	if x.ClientGone() {
		return gateBroken | gateGone
	}
	return gateBroken
}

// controlsOff refuses all further calls of a ResponseController.
func (x *Exchange) controlsOff() {
	x.control.Lock()
	x.off = true
	x.control.Unlock()
}

// Cut ends a response that must not end cleanly: what was written goes out, no
// more is accepted, the transport is broken, and the owner aborts the request.
// A connection that was hijacked is left alone, and so is a response that
// never began.
func (x *Exchange) Cut() {
	if x.begin() != nil {
		return
	}
	defer x.done()
	if x.hijacked || !x.committed.Load() {
		return
	}
	x.cutOff()
}

// cutOff is the end of Cut and Drop, within begin and done.
func (x *Exchange) cutOff() {
	x.gate.Or(gateClosed)
	x.sealed = sealedCut
	begun := x.committed.Load()
	x.breakOff(begun)
	if begun && x.untilClose() {
		x.sever() // the server would end it as it ends a complete one
	}
}

// breakOff breaks the transport of a response that began. Flushing first tells
// the client what there was, and us that the status went out; but not where it
// would complete the response.
func (x *Exchange) breakOff(flush bool) {
	x.cut = true
	x.gate.Or(x.broken())
	if flush && !x.whole() {
		_ = x.inner.setWriteDeadline(time.Now().Add(graceBreak))
		_ = x.flush() // nobody is left to tell
	}
	_ = x.inner.setWriteDeadline(past)
}

// whole reports whether a flush would let the client see a complete response.
func (x *Exchange) whole() bool {
	return !x.flushed && (!x.hasBody() || x.declared >= 0 && x.written >= x.declared)
}

// hasBody reports whether the response may have a body (RFC 9110 section 6.4.1).
func (x *Exchange) hasBody() bool {
	return x.original.Method != http.MethodHead &&
		x.status != http.StatusNoContent && x.status != http.StatusNotModified
}

// answer sends the deadline's response, complete, from the timer's goroutine.
// The handler has a header map of its own, so the server's holds what outer
// middleware set and nothing of the success that was given up.
func (x *Exchange) answer(p Policy, err error) {
	rep := &reply{header: x.inner.w.Header()}
	x.ask(p, rep, err)
	if rep.status < 200 {
		rep.status, rep.body = 0, bytes.Buffer{}
		p.Default(rep, err)
	}
	rep.header.Set("Content-Length", strconv.Itoa(rep.body.Len()))
	http1 := x.original.ProtoMajor < 2
	if http1 {
		rep.header.Set("Connection", "close")
	}
	_ = x.inner.setWriteDeadline(time.Now().Add(graceAnswer)) // also where WriteTimeout was shorter than the limit
	x.wmu.Lock()
	x.inner.w.WriteHeader(rep.status)
	x.commit(rep.status)
	if x.hasBody() {
		n, werr := x.inner.w.Write(rep.body.Bytes())
		x.wrote(int64(n), werr)
	}
	if ferr := x.flush(); ferr != nil {
		x.wrote(0, ferr)
	}
	x.wmu.Unlock()
	if !http1 && x.detached() == nil {
		// The handler runs where the stream's end depends on its return.
		_ = x.inner.setWriteDeadline(past)
	}
}

// ask lets the policy write, and survives its panic.
func (x *Exchange) ask(p Policy, rep *reply, err error) {
	defer func() {
		if v := recover(); v != nil {
			rep.status = 0
			x.Note(fmt.Errorf("ErrorHandler panicked: %v", v))
			x.Logf("bulwark: ErrorHandler panicked: %v", v)
		}
	}()
	p.Answer(rep, x.snapshot(), err)
}

// reply collects an answer, so that it can be sent with its length.
type reply struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *reply) Header() http.Header { return r.header }

func (r *reply) WriteHeader(code int) {
	if r.status == 0 && code >= 200 {
		r.status = code
	}
}

func (r *reply) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// linger reads on for a moment after an answer that came before the end of the
// request's body. Closing a connection with unread data resets it, and a reset
// can overtake the answer on its way to the client.
func (x *Exchange) linger() {
	if x.original.ProtoMajor >= 2 || x.drained.Load() || x.hijackedNow() {
		return
	}
	if x.inner.setReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, x.original.Body, lingerBytes)
		_ = x.inner.setReadDeadline(past)
	}
}

// Bounds of linger: whichever comes first.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

func (x *Exchange) hijackedNow() bool {
	x.wmu.Lock()
	defer x.wmu.Unlock()
	return x.hijacked
}
