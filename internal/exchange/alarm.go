package exchange

import (
	"sync"
	"sync/atomic"
	"time"
)

// Alarms are timers that wait for their next request: making one costs more than
// twice what setting it again does. Nobody but this package ever holds one, so
// unlike everything else of a request it can go to the next.
//
// The zero value is ready to use. It belongs to one New, so that what is made
// within a test's bubble stays there.
type Alarms struct{ idle sync.Pool }

// alarm is a timer that enforces the deadline of the exchange it is set for.
type alarm struct {
	timer *time.Timer
	x     atomic.Pointer[Exchange]
	home  *Alarms // where it goes when it is no longer needed; nil: nowhere
}

// set returns an alarm that goes off for x after left.
func (s *Alarms) set(x *Exchange, left time.Duration) *alarm {
	if s == nil || !x.realTime() {
		a := &alarm{}
		a.x.Store(x)
		a.timer = time.AfterFunc(left, a.goOff)
		return a
	}
	if a, ok := s.idle.Get().(*alarm); ok {
		a.x.Store(x)
		a.timer.Reset(left)
		return a
	}
	a := &alarm{home: s}
	a.x.Store(x)
	a.timer = time.AfterFunc(left, a.goOff)
	return a
}

// cancel ends the alarm. One that has gone off, or is about to, is not used
// again. One that went off and was set again may still be on its way when it
// already belongs to the next request, which then looks at its clock for
// nothing.
func (a *alarm) cancel() {
	if a.timer.Stop() && a.home != nil {
		a.x.Store(nil)
		a.home.idle.Put(a)
	}
}

func (a *alarm) goOff() {
	if x := a.x.Load(); x != nil {
		x.enforce(false)
	}
}

// realTime reports whether the request does not live in a bubble of
// testing/synctest: a bubble's timers must not be touched from outside, on pain
// of a fatal error. The runtime gives a bubble times without a monotonic
// reading, and everybody else times with one.
func (x *Exchange) realTime() bool { return x.start != x.start.Round(0) }
