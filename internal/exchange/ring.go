package exchange

import (
	"time"

	"github.com/bulwark-go/bulwark/internal/reqctx"
)

// setAlarm sets the alarm for the next deadline, with mu held. now is the time as
// far as the caller knows it; it must not be in the future.
func (x *Exchange) setAlarm(now time.Duration) {
	d, at := x.due()
	switch {
	case d == nil && x.alarm != nil:
		x.alarm.release()
		x.alarm = nil
	case d == nil:
	case x.alarm == nil:
		x.alarm = d.Alarms.take(x, at, at-now)
	default:
		x.alarm.noLaterThan(x, at)
	}
}

// ring is called by the alarm.
func (x *Exchange) ring() {
	if x.Now() >= watchAfter {
		x.ctx.Watch()
	}
	x.mu.Lock()
	d, at := x.due()
	now := x.Now()
	switch {
	case x.alarm == nil:
		x.mu.Unlock()
	case d == nil:
		x.alarm.release()
		x.alarm = nil
		x.mu.Unlock()
	case at > now:
		if now < watchAfter && !x.ctx.Watched() {
			at = min(at, watchAfter)
		}
		x.alarm.noLaterThan(x, at)
		x.mu.Unlock()
	case d.Cooperative:
		x.innermost.Store(x.innermost.Load().withPassed(d))
		x.setAlarm(now)
		x.mu.Unlock()
		x.ctx.End(reqctx.Expired(d.Responder.Cause(d, now-d.Began, PhaseHandler)))
	default:
		e, won := x.endLate()
		x.mu.Unlock()
		if won {
			x.expire(d, e)
		}
	}
}

// withPassed returns the chain with one of its deadlines marked as passed.
func (d *Deadline) withPassed(passed *Deadline) *Deadline {
	if d == nil {
		return nil
	}
	m := *d
	m.passed = m.passed || d == passed
	m.outer = d.outer.withPassed(passed)
	return &m
}

// overdue reports whether a deadline has passed before the response began but its
// timer has not fired yet, for example because the machine was suspended. A handler
// must not be in time only because the timer is slow. now is the current time if
// overdue had to read the clock, and otherwise 0.
func (x *Exchange) overdue() (now time.Duration, overdue bool) {
	inner := x.innermost.Load()
	if inner == nil || x.committed.Load() {
		return 0, false
	}
	d, at := x.due()
	if d == nil || d.Cooperative {
		return 0, false
	}
	now = x.Now()
	return now, now >= at
}

// expireNow ends a request whose deadline is overdue, on another goroutine than
// the handler's.
func (x *Exchange) expireNow() {
	x.mu.Lock()
	d, at := x.due()
	if d == nil || d.Cooperative || x.Now() < at {
		x.mu.Unlock()
		return
	}
	e, won := x.endLate()
	x.mu.Unlock()
	if won {
		go x.expire(d, e)
	}
}

// endLate moves the state to late, so that no write starts any more. mu is held.
func (x *Exchange) endLate() (e *earlyEnd, won bool) {
	e = newEarlyEnd()
	if e.from, won = x.state.moveTo(late); won {
		x.ensureExtras().early = e
	}
	x.innermost.Store(x.innermost.Load().withAllPassed())
	x.setAlarm(0)
	return e, won
}

// removeDeadlines removes the deadlines if the handler is still running, which is
// possible inside http.TimeoutHandler.
func (x *Exchange) removeDeadlines() {
	if x.innermost.Load() == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.innermost.Store(x.innermost.Load().withAllPassed())
	x.setAlarm(0)
}

// withAllPassed returns the chain with all deadlines marked as passed. Contexts
// keep reporting the same Deadline.
func (d *Deadline) withAllPassed() *Deadline {
	if d == nil {
		return nil
	}
	m := *d
	m.passed, m.outer = true, d.outer.withAllPassed()
	return &m
}
