package exchange

import (
	"sync"
	"time"
)

// Alarms is a pool of timers. To start and stop a timer costs more than everything
// else that a deadline needs. Unlike the other parts of a request, timers can be
// reused, because nothing outside this package refers to them.
//
// The zero value is ready to use. Each middleware has its own pool, so timers that
// were made in a synctest bubble stay there.
type Alarms struct{ idle sync.Pool }

// alarm is a timer that calls the method ring of its exchange. It may ring early
// but never late. A released alarm keeps running, unless it would ring much later.
// If the next request does not need an earlier alarm, it uses the running one.
type alarm struct {
	home *Alarms // the pool it is released to; nil: none

	mu    sync.Mutex
	timer *time.Timer
	x     *Exchange // nil while the alarm is in the pool
	rings time.Time // when the timer fires; zero if it is stopped
	far   bool      // the timer fires so late that it is stopped on release
}

// farAway is the longest time that a released alarm is left running. The pool
// drops its alarms over time, but the runtime keeps running timers.
const farAway = time.Minute

// take returns an alarm that rings for x at time at, or earlier. left is the time
// until then.
func (s *Alarms) take(x *Exchange, at, left time.Duration) *alarm {
	if s == nil || !x.realTime() {
		s = nil
	} else if a, ok := s.idle.Get().(*alarm); ok {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.x = x
		a.ringBy(x.start.Add(at), left)
		return a
	}
	a := &alarm{home: s, x: x, rings: x.start.Add(at), far: left > farAway}
	a.mu.Lock() // the alarm may ring before the field timer is set
	defer a.mu.Unlock()
	a.timer = time.AfterFunc(left, a.ring)
	return a
}

// ringBy sets the timer, unless it fires earlier anyway. mu is held.
func (a *alarm) ringBy(at time.Time, left time.Duration) {
	if a.rings.IsZero() || at.Before(a.rings) {
		a.rings, a.far = at, left > farAway
		a.timer.Reset(left)
	}
}

// noLaterThan makes the alarm ring at that time of the exchange, or earlier. It
// reads the clock only if the timer has to be set.
func (a *alarm) noLaterThan(x *Exchange, moment time.Duration) {
	at := x.start.Add(moment)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rings.IsZero() || at.Before(a.rings) {
		a.ringBy(at, time.Until(at))
	}
}

// release detaches the alarm from its exchange and returns it to the pool.
func (a *alarm) release() {
	a.mu.Lock()
	a.x = nil
	if a.home == nil || a.far {
		a.timer.Stop()
		a.rings = time.Time{}
	}
	a.mu.Unlock()
	if a.home != nil {
		a.home.idle.Put(a)
	}
}

func (a *alarm) ring() {
	a.mu.Lock()
	a.rings = time.Time{}
	x := a.x
	a.mu.Unlock()
	if x != nil {
		x.ring()
	}
}

// realTime reports whether the request is not in a testing/synctest bubble: using
// a bubble's timer from outside it is a fatal error. Times in a bubble have no
// monotonic clock reading; all others have one.
func (x *Exchange) realTime() bool { return x.start != x.start.Round(0) }
