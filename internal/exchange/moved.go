package exchange

import (
	"context"
	"time"
)

// Moved is ctx after Move: its Deadline is that of the term, unless something
// between the exchange and ctx ends earlier.
func (x *Exchange) Moved(ctx context.Context, t *Term) context.Context {
	var at time.Time
	if t.At > 0 {
		at = x.start.Add(t.At)
	}
	was, had := x.Deadline()
	if m, ok := ctx.Value(movedKey{}).(moved); ok {
		was, had = m.Deadline()
	}
	if now, has := ctx.Deadline(); has && (!had || now.Before(was)) {
		at = earlier(at, now)
	}
	if p, has := x.Parent().Deadline(); has {
		at = earlier(at, p)
	}
	return moved{ctx, at}
}

// earlier is the earlier of two deadlines, the zero time meaning none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

type moved struct {
	context.Context //nolint:containedctx // it is one
	at              time.Time
}

type movedKey struct{}

func (m moved) Deadline() (time.Time, bool) { return m.at, !m.at.IsZero() }

func (m moved) Value(key any) any {
	if key == (movedKey{}) {
		return m
	}
	return m.Context.Value(key)
}
