package timeout

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Override returns middleware that gives a route its own limit, shorter or
// longer than that of the New around it and counted from the same moment; 0
// means none. Max of the New bounds it, and a caller's budget still shortens
// it. It speaks to the deadline of the request wherever in the chain that was
// set, also outside of Gin or Echo, and does nothing where there is none. It
// panics for a negative limit.
func Override(limit time.Duration) func(http.Handler) http.Handler {
	if limit < 0 {
		panic("timeout: Override: limit must not be negative")
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if x := exchange.From(r.Context()); x != nil {
				x.SawRoute(r.Pattern) // for the line of a handler that gets stuck
			}
			if ctx, ok := move(r.Context(), func(x *exchange.Exchange, t *exchange.Term) time.Duration {
				limit := limit
				if t.Budget > 0 && (limit == 0 || t.Budget < limit) {
					limit = t.Budget
				}
				return bounded(t, t.Began, limit)
			}); ok {
				r = r.WithContext(ctx)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Extend moves the deadline of a request from inside its handler to limit from
// now, shorter or longer, 0 meaning none, within Max of New. It returns ctx with
// the new deadline. What was derived from the request's context before ends
// with the new deadline too, but goes on saying the old one; what was given a
// timeout of its own keeps that. It returns ctx itself and an error for a
// negative limit and where no deadline is running.
func Extend(ctx context.Context, limit time.Duration) (context.Context, error) {
	if limit < 0 {
		return ctx, errors.New("timeout: Extend: limit must not be negative")
	}
	moved, ok := move(ctx, func(x *exchange.Exchange, t *exchange.Term) time.Duration { return bounded(t, x.Now(), limit) })
	if !ok {
		return ctx, errors.New("timeout: Extend: no deadline is running")
	}
	return moved, nil
}

func move(ctx context.Context, at func(*exchange.Exchange, *exchange.Term) time.Duration) (context.Context, bool) {
	x := exchange.From(ctx)
	if x == nil {
		return ctx, false
	}
	t := x.Move(func(t *exchange.Term) time.Duration { return at(x, t) })
	if t == nil {
		return ctx, false
	}
	return x.Moved(ctx, t), true
}

// bounded is limit after from, 0 for none, within the ceiling of the term.
func bounded(t *exchange.Term, from, limit time.Duration) time.Duration {
	ceiling := t.Began + t.Max
	if t.Max > 0 && (limit == 0 || from+limit > ceiling) {
		return ceiling
	}
	if limit == 0 {
		return 0
	}
	return from + limit
}

// Remaining is how much time ctx has left, negative once the deadline has
// passed; false where it has no deadline.
func Remaining(ctx context.Context) (time.Duration, bool) {
	at, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return time.Until(at), true
}
