package exchange

import "time"

// Move moves the deadlines. at returns the new time of a deadline; 0 means never.
// Move returns false if there is no deadline to move. byHandler is true if the
// handler moves the deadlines, with times that count from now; it is false for the
// limit of a route.
func (x *Exchange) Move(at func(*Deadline) time.Duration, byHandler bool) bool {
	x.mu.Lock()
	inner := x.innermost.Load()
	if !inner.running() || x.lifted.Load() {
		x.mu.Unlock()
		return false
	}
	var now time.Duration
	if byHandler {
		now = x.Now()
	}
	x.innermost.Store(inner.withEnd(at, now))
	x.setAlarm(0)
	unwatched := x.alarm == nil
	x.mu.Unlock()
	if unwatched {
		x.ctx.Watch() // no alarm starts the watch any more
	}
	return true
}

// running reports whether d, or one of its outer deadlines, has not passed.
func (d *Deadline) running() bool {
	return d != nil && (!d.passed || d.outer.running())
}

// withEnd returns d and its outer deadlines, moved.
func (d *Deadline) withEnd(at func(*Deadline) time.Duration, now time.Duration) *Deadline {
	if d == nil {
		return nil
	}
	m := *d
	if m.announcedAt == 0 {
		m.announcedAt = d.At
	}
	m.At, m.movedAt = at(d), now
	m.outer = d.outer.withEnd(at, now)
	return &m
}

// lift ends all deadlines, because the connection now belongs to the application.
// It returns false if one of them has passed.
func (x *Exchange) lift() bool {
	x.mu.Lock()
	if x.state.load() != open {
		x.mu.Unlock()
		return false
	}
	x.lifted.Store(true)
	x.setAlarm(0)
	x.mu.Unlock()
	x.ctx.Watch() // no alarm starts the watch any more
	return true
}

// unlift undoes lift after a hijack that failed.
func (x *Exchange) unlift() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lifted.Store(false)
	x.setAlarm(x.Now())
}
