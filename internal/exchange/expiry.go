package exchange

import (
	"sync"
	"time"
)

// expiry is the end of a request whose handler was not done: at its deadline, or
// because the client left.
type expiry struct {
	back      chan struct{} // closed when the handler has returned
	once      sync.Once
	told      chan struct{} // closed when the deadline has been enforced and told of
	at        time.Duration // when the client had its end
	abandoned bool          // the handler was still running then; to be read after awaitExpiry
	departed  bool          // it was the client that left, see departs
	timedOut  bool          // or rather the server's WriteTimeout that sent it away
}

func (e *expiry) handlerBack() { e.once.Do(func() { close(e.back) }) }

func (e *expiry) isBack() bool {
	select {
	case <-e.back:
		return true
	default:
		return false
	}
}

// courtesy is how long a handler has to return once its context has ended and
// the client has the answer, before it counts as abandoned: one that follows
// its context must not look like one that does not. Only the log line waits.
const courtesy = 5 * time.Millisecond

func (e *expiry) await() {
	t := time.NewTimer(courtesy)
	defer t.Stop()
	select {
	case <-e.back:
	case <-t.C:
		e.abandoned = true
	}
}

// awaitExpiry waits until the expiry has been enforced and told of.
func (x *Exchange) awaitExpiry() {
	<-x.expiry.Load().told
}

// dueLocked is when the deadline passes, with mu held; 0: never.
func (x *Exchange) dueLocked() time.Duration {
	switch t := x.term.Load(); {
	case !t.counts() || t.At == 0 || x.expiry.Load() != nil:
		return 0
	case t.Stream > 0 && x.committed.Load():
		return time.Duration(x.last.Load()) + t.Stream
	default:
		return t.At
	}
}

// enforce ends the request if its deadline has passed. returned says that the
// handler is done already.
func (x *Exchange) enforce(returned bool) {
	x.mu.Lock()
	due := x.dueLocked()
	if due == 0 {
		x.mu.Unlock()
		return
	}
	if wait := due - x.Now(); wait > 0 {
		x.alarm.timer.Reset(wait)
		x.mu.Unlock()
		return
	}
	t := x.term.Load()
	if t.Cooperative {
		x.pass()
		if t.enforced != nil {
			e := *t.enforced
			e.moved, e.told = true, t.announced()
			x.set(&e, e.At-x.Now())
		}
		x.mu.Unlock()
		x.endContext(t.Policy.Cause(t, x.Now()-t.Began, PhaseHandler))
		return
	}
	e := &expiry{back: make(chan struct{}), told: make(chan struct{})}
	x.expiry.Store(e)
	defer close(e.told)
	d := x.detached()
	x.mu.Unlock()
	if returned {
		e.handlerBack()
	}
	x.expire(t)
	e.at = x.Now()
	if d != nil {
		close(d.fired)
	}
	e.await()
	x.end(nil)
}

// expire enforces the deadline. The order matters: no write may slip through
// after the context ended, and from Go 1.27 on the answer to an Expect:
// 100-continue request waits for a lock that the stuck Read holds.
func (x *Exchange) expire(t *Term) {
	broken := x.breakIn()
	gone := x.ClientGone()
	err := t.Policy.Cause(t, x.Now()-t.Began, x.phase())
	x.noteExpiry(err, gone)
	if gone {
		x.endGone()
	} else {
		x.endContext(err)
	}
	if !x.drained.Load() {
		_ = x.inner.setReadDeadline(past) // where it cannot be set, nobody can be freed by it
	}
	switch {
	case x.hijacked: // while the timer was on its way
	case x.committed.Load():
		x.breakOff(!broken)
		x.sever()
	case gone:
		x.cut = true
	default:
		x.answer(t.Policy, err)
	}
}

// past is a deadline that has passed for certain.
var past = time.Unix(1, 0)
