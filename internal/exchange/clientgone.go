package exchange

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/reqctx"
)

// A client is known to have left in three cases: a write has failed; its HTTP/2
// stream has ended; or its HTTP/1 connection has ended, although it may have closed
// only its sending side and still be reading. The end of the context is no proof.
// net/http cancels the context in all these cases, but outer middleware may cancel
// it, too, and a BaseContext may end at shutdown. http.CloseNotifier is deprecated
// in favor of the context, but only http.CloseNotifier reports the end of the
// connection and nothing else.

// ClientGone reports whether the client is known to have left.
func (x *Exchange) ClientGone() bool {
	if x.state.has(clientLeft) {
		return true
	}
	switch x.state.load() {
	case late, aborted, returned: // we may have broken the transport, and net/http then reports that the client has left
		return false
	}
	return x.detectClientGone()
}

// detectClientGone implements ClientGone as long as we have not broken the
// transport.
func (x *Exchange) detectClientGone() bool {
	if p := x.Parent(); p.Err() != context.Canceled || context.Cause(p) != context.Canceled { //nolint:errorlint // a cause that wraps context.Canceled comes from the application
		return false
	}
	switch {
	case x.state.has(readLate), x.passedBy(&x.extras().readBy), x.passedBy(&x.drainBy):
		return false // after a read deadline net/http cancels the context as if the client had left (golang.org/issue/70834)
	case x.waiting.Load() > 0 && x.pastReadTimeout():
		return false // the read has not returned yet
	case x.http2() && x.pastWriteTimeout():
		return false // the server has reset the stream
	case x.serverFinished(), !x.connectionEnded():
		return false
	}
	x.noteClientLeft()
	return true
}

func (x *Exchange) noteClientLeft() {
	if x.committed.Load() {
		x.state.set(clientLeft)
	} else {
		x.state.set(clientLeft | leftFirst)
	}
}

// connEndWait is how long to wait for CloseNotify after the context was canceled,
// because net/http cancels the context first. connEndShort is the same if the context
// was canceled before the request began.
const (
	connEndWait  = 250 * time.Millisecond
	connEndShort = 50 * time.Millisecond
)

// connectionEnded reports whether the server says that the connection (on HTTP/2
// the stream) has ended. It waits for up to connEndWait or connEndShort, counted from
// its first call.
func (x *Exchange) connectionEnded() bool {
	c := x.watchConnection()
	if c == nil {
		return false
	}
	wait := connEndWait
	if x.state.has(bornEnded) { // probably by an ended BaseContext, and then each request would wait
		wait = connEndShort
	}
	now := x.Now()
	c.waitUntil.CompareAndSwap(0, int64(now+wait))
	if left := time.Duration(c.waitUntil.Load()) - now; left > 0 && receivesUnlessStarved(c.ended, left) {
		return true
	}
	return yieldsTo(c.ended)
}

// connEnd reports the end of a connection.
type connEnd struct {
	ended   chan struct{} // closed when the connection has ended
	done    chan struct{} // closed when the request has ended
	handler chan bool     // what CloseNotify returns to the handler, because the server's channel sends only once
	// waitUntil is when connectionEnded stops waiting, since the start; 0: not called yet.
	waitUntil atomic.Int64
}

// watchConnection returns the connEnd. It returns nil if the writer is not a
// CloseNotifier, and if the handler has returned, because the server's CloseNotify
// then panics.
func (x *Exchange) watchConnection() *connEnd {
	x.control.Lock()
	defer x.control.Unlock()
	s := x.ensureExtras()
	if s.connEnd != nil || x.controlOff {
		return s.connEnd
	}
	server := x.closeNotify()
	if server == nil {
		return nil
	}
	c := &connEnd{ended: make(chan struct{}), done: make(chan struct{}), handler: make(chan bool, 1)}
	go c.follow(server)
	s.connEnd = c
	return c
}

// follow waits for the server's notification, until the request has ended.
func (c *connEnd) follow(server <-chan bool) {
	select {
	case v := <-server:
		close(c.ended)
		c.handler <- v
	case <-c.done:
	}
}

// scheduleGone ends the request if the handler has not returned after
// clientGoneGrace. Without an observer there is nothing to do.
func (x *Exchange) scheduleGone() {
	if !x.followed() {
		return
	}
	x.mu.Lock()
	s := x.ensureExtras()
	first := !s.goneTimer
	s.goneTimer = true
	x.mu.Unlock()
	if first {
		left, timedOut := x.Now(), x.http2() && x.pastWriteTimeout()
		time.AfterFunc(clientGoneGrace, func() { x.endGone(left, timedOut) })
	}
}

// endGone ends the request while the handler is still running.
func (x *Exchange) endGone(left time.Duration, timedOut bool) {
	e := newEarlyEnd()
	e.at, e.gone, e.abandoned = left, true, true
	defer close(e.done)
	x.mu.Lock()
	if x.lifted.Load() {
		x.mu.Unlock()
		return
	}
	var ok bool
	if e.from, ok = x.state.moveTo(gone); ok {
		x.ensureExtras().early = e
		e.abandon = x.abandonAtDeadline()
		x.innermost.Store(x.innermost.Load().withAllPassed())
		x.setAlarm(0)
	}
	x.mu.Unlock()
	if ok {
		// No deadline ends the request any more. The connection may be alive: the
		// write that failed may be that of a middleware outside, to something else.
		x.ctx.End(reqctx.Canceled(ErrClientGone))
		if !x.serverFinished() {
			if !x.drained.Load() {
				_ = x.setReadDeadline(expired)
			}
			e.stuck = x.awaitIdle(e.from) == writeStuck
		}
		if timedOut && !e.stuck {
			x.wmu.Lock()
			x.timedOut = true
			x.wmu.Unlock()
		}
		x.end(nil)
	}
}

// abandonAtDeadline lets the server free its goroutine or its connection at the
// deadline although the request has ended with its client. Otherwise a stuck handler
// would delay Server.Shutdown, and on HTTP/2 it would keep other requests of the
// connection waiting, because a server runs only so many at once. It returns the timer,
// or nil. mu is held.
func (x *Exchange) abandonAtDeadline() *time.Timer {
	d, at := x.due()
	for d != nil && d.Cooperative {
		x.innermost.Store(x.innermost.Load().withPassed(d))
		d, at = x.due()
	}
	if d == nil {
		return nil
	}
	abandon := x.closeStuck
	if det := x.detached.Load(); det != nil {
		answered := det.answered
		abandon = func() { close(answered) }
	}
	return time.AfterFunc(at-x.Now(), abandon)
}

// same compares two values of panics, which need not be comparable.
func same(a, b any) (same bool) {
	defer func() { _ = recover() }()
	return a == b
}

// reportLateAfterGone reports the return of the handler, with its panic, even if
// the panic was answered.
func (x *Exchange) reportLateAfterGone(v any) {
	var stack []byte
	if n := x.Notes.noted.Load(); n != nil {
		n.mu.Lock()
		if v == nil || same(v, n.panicked) {
			v, stack = n.panicked, n.stack
		}
		n.mu.Unlock()
	}
	if v != nil && stack == nil {
		stack = debug.Stack() // the panic is still unwinding, so the stack contains its frames
	}
	x.notifyLate(v, stack)
}
