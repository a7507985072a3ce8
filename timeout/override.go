package timeout

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Override returns middleware that gives a route its own limit, which may be
// shorter or longer than that of New. The limit counts from the same moment. Limit
// 0 means no limit. [Config.Max] is the longest limit, and a caller's budget still
// shortens the limit.
//
// Override changes the deadline that New has set for the request, so it also works
// on a route of an engine, such as Gin's or Echo's, that is wrapped as a whole. It
// does nothing if the request has no deadline. It panics if limit is negative.
func Override(limit time.Duration) func(http.Handler) http.Handler {
	if limit < 0 {
		panic("timeout: Override: limit must not be negative")
	}
	return func(next http.Handler) http.Handler { return &override{limit, next} }
}

type override struct {
	limit time.Duration
	next  http.Handler
}

// ExchangeRouter lets the deadline outside find the route.
func (o *override) ExchangeRouter() exchange.Router { return exchange.RouterOf(o.next) }

// ExchangeNext lets a deadline inside find out which middleware is around it.
func (o *override) ExchangeNext() http.Handler { return o.next }

func (o *override) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if x := exchange.From(r.Context()); x != nil {
		x.NoteRoute(w, r) // for the log record of a handler that gets stuck
	}
	passed := r
	if ctx, ok := move(r.Context(), false, o.at); ok {
		passed = r.WithContext(ctx)
		defer exchange.HandBack(passed, r)
	}
	o.next.ServeHTTP(w, passed)
}

// at returns the time at which d ends on this route.
func (o *override) at(d *exchange.Deadline) time.Duration {
	limit := o.limit
	if d.Budget > 0 && (limit == 0 || d.Budget < limit) {
		limit = d.Budget
	}
	return bounded(d, d.Began, limit)
}

// Reset moves the deadline of a request from inside its handler. The response must
// be complete within limit from now, which may be earlier or later than before.
// Limit 0 removes the deadline. If [Config.Max] is set, it still applies, also with
// limit 0.
//
// Reset returns ctx with the new deadline. Contexts that were derived from the
// request's context earlier also end at the new deadline, but their Deadline method
// still reports the old one. If such a context has a shorter timeout of its own, it
// keeps that. Reset returns ctx unchanged and an error if limit is negative or if
// no deadline is running.
func Reset(ctx context.Context, limit time.Duration) (context.Context, error) {
	if limit < 0 {
		return ctx, errors.New("timeout: Reset: limit must not be negative")
	}
	moved, ok := move(ctx, true, func(d *exchange.Deadline) time.Duration { return bounded(d, exchange.From(ctx).Now(), limit) })
	if !ok {
		return ctx, errors.New("timeout: Reset: no deadline is running")
	}
	return moved, nil
}

func move(ctx context.Context, byHandler bool, at func(*exchange.Deadline) time.Duration) (context.Context, bool) {
	x := exchange.From(ctx)
	if x == nil || !x.Move(at, byHandler) {
		return ctx, false
	}
	return x.WithDeadline(ctx), true
}

// bounded returns from + limit, or 0 if limit is 0, but no more than d.Max allows.
func bounded(d *exchange.Deadline, from, limit time.Duration) time.Duration {
	at := sum(from, limit)
	if limit == 0 {
		at = math.MaxInt64
	}
	switch {
	case d.Max > 0:
		return min(at, sum(d.Began, d.Max))
	case limit == 0:
		return 0
	}
	return at
}

// sum returns a + b, or the longest Duration if the sum would overflow. a and b
// must not be negative.
func sum(a, b time.Duration) time.Duration {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}

// Remaining returns the time until the deadline of ctx. The time is negative if the
// deadline has passed. It returns false if ctx has no deadline.
func Remaining(ctx context.Context) (time.Duration, bool) {
	at, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return time.Until(at), true
}
