package exchange

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClientGone is the cause of a request's context once the client has left.
// It is a kind of context.Canceled.
var ErrClientGone error = clientGone{}

type clientGone struct{}

func (clientGone) Error() string        { return "client closed the request" }
func (clientGone) Is(target error) bool { return target == context.Canceled }

// life is the context half of an exchange: whose child it is, how it ended,
// and the deadline.
//
// Until somebody asks for Done it costs nothing. Then a genuine cancelCtx is
// made, because the standard library links children to such a one directly
// and starts a goroutine for each child of anything else, also below a
// context.WithValue. What it hangs from is a source: a parent that we end, with
// the Err and the Cause of our choice. context.WithDeadlineCause would need its
// cause before it is known, a second timer, and could not be moved.
type life struct {
	ended atomic.Pointer[outcome] // how, nil while alive
	asked atomic.Pointer[source]  // nil until somebody asks

	mu    sync.Mutex
	route string // the last pattern seen on the handler's own goroutine

	deadline
}

// Deadline is the moment the exchange was last armed for, else the parent's.
func (x *Exchange) Deadline() (time.Time, bool) {
	var at time.Time
	after := x.term.Load().announced()
	if after > 0 {
		at = x.start.Add(after)
	}
	if p, has := x.Parent().Deadline(); has && (after == 0 || p.Before(at)) {
		return p, true
	}
	return at, after > 0
}

// Done is closed when the request is over for the handler.
func (x *Exchange) Done() <-chan struct{} { return x.context().Done() }

// outcome is how a context has ended.
type outcome struct {
	err error
	ctx context.Context // a genuine one that has ended so, for context.Cause; nil where err is the cause, too
}

// Err is context.DeadlineExceeded after the deadline, context.Canceled after
// the client left or the request ended.
func (x *Exchange) Err() error {
	if ended := x.ended.Load(); ended != nil {
		return ended.err
	}
	if x.Parent().Err() == nil {
		return nil
	}
	x.parentEnded() // now and not when the watch gets to it, or Err would be ahead of Done
	if ended := x.ended.Load(); ended != nil {
		return ended.err
	}
	return nil // the deadline is about to say
}

// Value finds the exchange itself, and for the standard library its genuine
// context.
func (x *Exchange) Value(key any) any {
	switch key {
	case any(exchangeKey{}):
		return x
	case cancelKey:
		return x.context().Value(key)
	}
	return x.Parent().Value(key)
}

// cancelKey is the key by which package context asks a context for the
// cancelCtx it descends from. Learnt by listening, since it is not exported.
var cancelKey = func() any {
	var l listener
	_, cancel := context.WithCancel(&l)
	cancel()
	return l.key
}()

type listener struct{ key any }

func (*listener) Deadline() (time.Time, bool)         { return time.Time{}, false }
func (*listener) Done() <-chan struct{}               { return make(chan struct{}) }
func (*listener) Err() error                          { return nil }
func (*listener) AfterFunc(func()) (stop func() bool) { return stopped }
func (l *listener) Value(key any) any                 { l.key = key; return nil }

// never is the Done of a parent that tells its children itself.
var never = make(chan struct{})

func stopped() bool { return true }

// context returns the genuine context, made on the first call.
func (x *Exchange) context() context.Context {
	if s := x.asked.Load(); s != nil {
		return s.genuine
	}
	x.mu.Lock()
	s := x.asked.Load()
	if s != nil {
		x.mu.Unlock()
		return s.genuine
	}
	s = newSource(x)
	x.asked.Store(s)
	x.mu.Unlock()
	switch {
	case x.ended.Load() != nil: // finish looks for a source after it has said so
		s.finish()
	case x.Parent().Err() != nil:
		x.parentEnded()
	}
	return s.genuine
}

// source is the parent of the genuine context. Its Done is never closed: it
// offers AfterFunc, which package context prefers, and ends its one child by
// that.
type source struct {
	x       *Exchange
	genuine context.Context //nolint:containedctx // it is its child
	end     func()          // ends genuine as x has ended
	unwatch func() bool     // the parent; nil where that never ends
}

func newSource(x *Exchange) *source {
	s := &source{x: x}
	var cancel context.CancelFunc
	s.genuine, cancel = context.WithCancel(s)
	_ = cancel // it ends as its source does, with the right error and cause
	if parent := x.Parent(); parent.Done() != nil && !x.left.Load() {
		s.unwatch = context.AfterFunc(parent, x.parentEnded)
	}
	return s
}

func (*source) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*source) Done() <-chan struct{}       { return never }

// AfterFunc is called once, by newSource.
func (s *source) AfterFunc(f func()) (stop func() bool) {
	s.end = f
	return stopped
}

func (s *source) Err() error {
	if ended := s.x.ended.Load(); ended != nil {
		return ended.err
	}
	return nil
}

func (s *source) Value(key any) any {
	if key != cancelKey {
		return s.x.Parent().Value(key)
	}
	if ended := s.x.ended.Load(); ended != nil && ended.ctx != nil {
		return ended.ctx.Value(key) // for context.Cause
	}
	return nil
}

// finish ends the genuine context. It does no harm twice.
func (s *source) finish() {
	s.end()
	if s.unwatch != nil {
		s.unwatch()
	}
}

// finish ends the context as e says; the first call wins.
func (x *Exchange) finish(e *outcome) {
	if !x.ended.CompareAndSwap(nil, e) {
		return
	}
	if s := x.asked.Load(); s != nil {
		s.finish()
	}
}

// finishAs ends the context as c has ended.
func (x *Exchange) finishAs(c context.Context) { x.finish(&outcome{c.Err(), c}) }

// parentEnded ends the context because its parent has. net/http cancels it
// without a cause when the client leaves; any other cause or error is
// somebody's own and passed on.
func (x *Exchange) parentEnded() {
	switch {
	case x.gate.Load()&gateLate != 0: // the deadline breaks the transport, and says why
	case x.ClientGone():
		x.endGone()
		if x.original.ProtoMajor >= 2 && x.observed.Load() {
			go x.awaitStream()
		}
	default:
		x.finishAs(x.Parent())
	}
}

// endGone ends the context because the client has left.
func (x *Exchange) endGone() {
	c, cancel := context.WithCancelCause(context.Background())
	cancel(ErrClientGone)
	x.finishAs(c)
}

// ClientGone reports whether the client has left. net/http cancels the context
// also when the request has ended for the server, from when on this is false, and
// when we broke the transport, from when on it stays as it was, and when a read
// of the body ran into a deadline, which says nothing about the client.
func (x *Exchange) ClientGone() bool {
	if x.left.Load() || x.readLate.Load() || x.Parent().Err() != context.Canceled || context.Cause(x.Parent()) != context.Canceled { //nolint:errorlint // a cause that wraps it is somebody's own
		return false
	}
	g := x.gate.Load()
	return g&gateBroken == 0 || g&gateGone != 0
}

// finished is how a context ends whose request ended.
var finished = &outcome{err: context.Canceled}

// SawRoute records the pattern that matched. The timer cannot read it from the
// request, which belongs to the handler's goroutine; so it is noted whenever
// that goroutine comes by (not in the context's methods: those are called from
// anywhere).
func (x *Exchange) SawRoute(pattern string) {
	if pattern == "" {
		return
	}
	x.mu.Lock()
	x.route = pattern
	x.mu.Unlock()
}
