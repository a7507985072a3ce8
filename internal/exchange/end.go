package exchange

import (
	"os"
	"runtime"
	"time"
)

// endsBy returns when a deadline passes that also bounds the end of the response,
// which the server sends after the handler has returned; 0 means never.
func (x *Exchange) endsBy() time.Duration {
	d, at := x.due()
	if d == nil || d.Cooperative {
		return 0
	}
	return at
}

// boundEnd makes the deadline at, from endsBy, also apply to the end of an HTTP/1
// response. It is called before pop, so that the deadline breaks a flush that blocks.
func (x *Exchange) boundEnd(at time.Duration) {
	if at == 0 || x.http2() || x.state.load() == late || x.serverFinished() {
		return
	}
	if !x.drained.Load() && !x.wasHijacked() {
		// The server will read the rest of the request's body.
		_ = x.drainWithin(min(max(0, at-x.Now()), drainTime))
	}
	if !x.committed.Load() || !x.hasBody() || x.begin() != nil {
		return
	}
	defer x.done()
	if x.written <= bufferedHTTP1 {
		return // the rest fits into the kernel's buffers, and a flush would prevent a Content-Length
	}
	began := x.Now()
	by := x.start.Add(max(at, began+endGrace))
	if err := x.flush(); err != nil {
		x.wrote(0, err)
		return
	}
	if x.Now()-began > slowFlush {
		// The client is slow, and the rest may block. The deadline would stay set
		// on the connection, so the connection is closed after the response.
		_ = x.setWriteDeadline(by)
		x.closing.CompareAndSwap(closeNot, closeAsked)
	}
}

// boundStream does the same on HTTP/2. It is called after pop, because the deadline
// of a stream is set by the connection's goroutine. A handler that was in time must not
// wait for that goroutine until it is late.
func (x *Exchange) boundStream(at time.Duration) {
	if at == 0 || !x.http2() || !x.committed.Load() || !x.hasBody() || x.serverFinished() {
		return
	}
	if x.Parent().Err() != nil {
		return // the stream has ended, and its timer would keep the connection in memory until the deadline
	}
	by := x.start.Add(max(at, x.Now()+endGrace))
	_ = x.controlled(func() error { return x.setWriteDeadline(by) })
}

// endGrace is the minimum time for the end of a response, because a handler that
// returned in time must not become late by what the server does afterwards. A flush
// that takes longer than slowFlush has waited for the client.
const (
	endGrace  = 500 * time.Millisecond
	slowFlush = 100 * time.Millisecond
)

// writeTimeoutSlack is how much earlier than the exchange the server may have
// started its WriteTimeout.
const writeTimeoutSlack = 10 * time.Millisecond

// checkWriteTimeout is called when the handler has returned, because the server does
// not report the errors of its writes, which follow. If the WriteTimeout has passed,
// the response is flushed; if it is only about to pass, it is moved.
func (x *Exchange) checkWriteTimeout() {
	if !x.returned || !x.pastWriteTimeout() {
		return
	}
	inTime := x.extras().writeBy.Load() == 0 && x.Now() < x.server().WriteTimeout
	if inTime && x.setWriteDeadline(time.Now().Add(endGrace)) == nil && !x.http2() {
		return
	}
	x.implicit() // on HTTP/2 the stream may have been reset
	err := x.flushForHandler()
	if err == nil && !inTime && x.endFollows() {
		_ = x.setWriteDeadline(expired) // it may have had no effect yet
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		x.failedToWrite(err, x.written)
		x.timedOut = true
	}
}

// endFollows reports whether the server will write more than a flush does: the last
// chunk, or the flag that ends an HTTP/2 stream.
func (x *Exchange) endFollows() bool {
	switch x.original.ProtoMajor {
	case 1:
		return x.hasBody() && x.declared < 0 && !x.untilClose()
	case 2:
		return x.hasBody()
	default:
		return false
	}
}

// pastWriteTimeout reports whether the server's WriteTimeout has passed or is
// about to. A write deadline set by the handler replaces it.
func (x *Exchange) pastWriteTimeout() bool {
	if !x.followed() {
		return false
	}
	if by := &x.extras().writeBy; by.Load() != 0 {
		return x.passedBy(by)
	}
	srv := x.server()
	return srv != nil && srv.WriteTimeout > 0 && x.Now() > srv.WriteTimeout-writeTimeoutSlack
}

// Exiting reports whether the goroutine runs deferred functions because of
// runtime.Goexit, and not because of a panic(nil) with GODEBUG=panicnil=1. Call it
// in a deferred function if the function has neither returned nor panicked.
func Exiting() bool {
	var pc [64]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc[:])])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); f.Function == "runtime.Goexit" {
			return true
		}
	}
	return false
}
