package exchange

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/bulwark-go/bulwark/internal/reqctx"
)

// ErrClientGone is the cause of a request's context when the client has left. It
// matches context.Canceled.
var ErrClientGone error = clientGone{}

type clientGone struct{}

func (clientGone) Error() string        { return "client closed the request" }
func (clientGone) Is(target error) bool { return target == context.Canceled }

// Deadline returns the earliest deadline, of this exchange or of the parent. If a
// deadline was moved, its first time counts until that has passed.
func (x *Exchange) Deadline() (time.Time, bool) { return x.deadline((*Deadline).announcement) }

// Done is closed when the request has ended for the handler.
func (x *Exchange) Done() <-chan struct{} { return x.ctx.Done() }

// Err returns context.DeadlineExceeded after the deadline, and context.Canceled
// after the client has left or the request has ended.
func (x *Exchange) Err() error { return x.ctx.Err() }

// Value returns the exchange for its own key, and otherwise the value of the
// context.
func (x *Exchange) Value(key any) any {
	if key == any(exchangeKey{}) {
		return x
	}
	if key == labelKey {
		return x.labels()
	}
	return x.ctx.Value(key)
}

// String and the two methods below keep fmt and slog from printing the request
// with its headers.
func (x *Exchange) String() string { return "bulwark.request" }

// Format implements fmt.Formatter; see String.
func (x *Exchange) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("bulwark.request")) }

// LogValue implements slog.LogValuer; see String.
func (x *Exchange) LogValue() slog.Value { return slog.StringValue("bulwark.request") }

// parentWatch is the exchange as the owner of its reqctx.Context.
type parentWatch Exchange

// ParentEnded ends the context because its parent has ended. net/http cancels the
// parent without a cause when the client leaves, but not only then; see ClientGone.
// Any other cause or error comes from the application and is passed on.
func (p *parentWatch) ParentEnded() {
	x := (*Exchange)(p)
	switch {
	case x.state.load() == late: // the deadline has broken the transport, and ends the context itself
	case x.ClientGone():
		x.ctx.End(reqctx.Canceled(ErrClientGone))
		if x.http2() {
			x.scheduleGone() // on HTTP/1 the client may have closed only its sending side
		}
	default:
		x.ctx.End(x.ctx.LikeParent())
		if x.http2() && x.pastWriteTimeout() {
			x.scheduleGone() // the server has reset the stream
		}
	}
}

// watchAfter is the age at which a request begins to watch its parent. Before that,
// Err notices the end of the parent when it is called, and Done is closed when the
// alarm rings. Most requests end earlier and save the cost of the watch.
const watchAfter = 10 * time.Millisecond

// Asked reports whether the parent must be watched at once. If there is an alarm,
// it starts the watch later.
func (p *parentWatch) Asked() (watch bool) {
	x := (*Exchange)(p)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.alarm == nil {
		return true
	}
	x.alarm.noLaterThan(x, watchAfter)
	return false
}

// WithDeadline returns ctx after a Move: its Deadline is the current one of the
// exchange, unless a context between the exchange and ctx has an earlier one.
func (x *Exchange) WithDeadline(ctx context.Context) context.Context {
	was, had := x.Deadline()
	if d, ok := ctx.Value(deadlineKey{}).(*deadlineContext); ok {
		was, had = d.Deadline()
	}
	d := &deadlineContext{Context: ctx, x: x}
	if at, has := ctx.Deadline(); has && (!had || at.Before(was)) {
		d.between = at
	}
	return d
}

// deadlineContext is a context whose Deadline follows a Move.
type deadlineContext struct {
	context.Context //nolint:containedctx // deadlineContext is a context
	x               *Exchange
	between         time.Time // zero: none
}

type deadlineKey struct{}

func (d *deadlineContext) Deadline() (time.Time, bool) {
	at, ok := d.x.deadline(func(d *Deadline, _ time.Duration) time.Duration { return d.At })
	if !d.between.IsZero() && (!ok || d.between.Before(at)) {
		return d.between, true
	}
	return at, ok
}

func (d *deadlineContext) Value(key any) any {
	if key == (deadlineKey{}) {
		return d
	}
	return d.Context.Value(key)
}

func (d *deadlineContext) String() string { return "bulwark.request" }
