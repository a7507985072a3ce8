// Package reqctx implements a request's context that can be ended with any error
// and cause. The error and the cause are chosen when the context ends.
//
// The context costs nothing until Done is called. Then it makes a standard
// cancelCtx. Package context links children directly to a cancelCtx, but starts a
// goroutine for each child of another type, also below a context.WithValue. The
// parent of the cancelCtx is a type of this package, which ends the cancelCtx with
// the chosen error and cause. context.WithDeadlineCause would need the cause in
// advance and a second timer, and its deadline cannot be moved.
package reqctx

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Owner is the type that embeds a Context.
type Owner interface {
	// ParentEnded is called when the parent has ended and the Context has not. It
	// calls End, unless a deadline is about to end the context. It may be called
	// more than once, and from any goroutine.
	ParentEnded()

	// Asked is called when Done is first called. It reports whether to watch the
	// parent now. If it returns false, the owner calls Watch later.
	Asked() (watch bool)
}

// Context implements the cancellation of a request's context. Call Init before
// use. It must not be copied.
type Context struct {
	parent context.Context //nolint:containedctx // it is a context
	owner  Owner
	result atomic.Pointer[Result]

	asked   atomic.Bool     // std has been made
	over    bool            // the request has ended, and the parent must not be watched any more; guarded by mu
	std     context.Context //nolint:containedctx // the cancelCtx that children are linked to; written once, before asked
	mu      sync.Mutex
	child   func()      // ends std with result; see lateParent
	unwatch func() bool // nil if the parent is not watched
}

// Result is how a context has ended.
type Result struct {
	err error
	ctx context.Context //nolint:containedctx // a standard context that has ended in this way, for context.Cause; nil: err is also the cause
}

// Finished is the result of a request that ended normally.
var Finished = &Result{err: context.Canceled}

// Canceled returns a cancellation with a cause.
func Canceled(cause error) *Result {
	c, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return &Result{c.Err(), c}
}

// Expired returns the end at a deadline, with a cause.
func Expired(cause error) *Result {
	c, cancel := context.WithDeadlineCause(context.Background(), time.Unix(1, 0), cause)
	defer cancel()
	return &Result{c.Err(), c}
}

// LikeParent returns the end of the parent.
func (c *Context) LikeParent() *Result { return &Result{c.parent.Err(), c.parent} }

// Init makes c a child of parent.
func (c *Context) Init(parent context.Context, owner Owner) { c.parent, c.owner = parent, owner }

// Parent returns the parent.
func (c *Context) Parent() context.Context { return c.parent }

// Done is closed when the context has ended.
func (c *Context) Done() <-chan struct{} { return c.standard().Done() }

// Err returns nil until the context has ended. It notices the parent's end even
// if the parent is not watched.
func (c *Context) Err() error {
	if r := c.result.Load(); r != nil {
		return r.err
	}
	if c.parent.Err() == nil {
		return nil
	}
	c.owner.ParentEnded() // closes Done, because Err is about to return an error
	if r := c.result.Load(); r != nil {
		return r.err
	}
	return nil // a deadline is about to end the context
}

// Value returns the cancelCtx if package context asks for it, and otherwise the
// parent's value.
func (c *Context) Value(key any) any {
	if key == cancelKey {
		std := c.standard()
		if c.result.Load() != nil {
			c.propagate() // Err may already have returned an error, so context.Cause must return one, too
		}
		return std.Value(key)
	}
	return c.parent.Value(key)
}

// End ends the context; the first call wins.
func (c *Context) End(r *Result) {
	if !c.result.CompareAndSwap(nil, r) {
		return
	}
	if c.asked.Load() {
		c.propagate()
	}
}

// Over ends the context with Finished and stops watching the parent, which may live
// longer.
func (c *Context) Over() {
	c.End(Finished)
	if !c.asked.Load() {
		return
	}
	c.mu.Lock()
	c.over = true
	unwatch := c.unwatch
	c.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
}

// Watch begins to watch the parent. It does nothing if Done was never called.
func (c *Context) Watch() {
	if !c.asked.Load() || c.parent.Done() == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unwatch == nil && !c.over && c.result.Load() == nil {
		c.unwatch = context.AfterFunc(c.parent, c.owner.ParentEnded)
	}
}

// Watched reports whether the parent is watched, or need not be because Done was
// never called.
func (c *Context) Watched() bool {
	if !c.asked.Load() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unwatch != nil
}

// standard returns the cancelCtx, made on the first call.
func (c *Context) standard() context.Context {
	if c.asked.Load() {
		return c.std
	}
	c.mu.Lock()
	if c.asked.Load() {
		c.mu.Unlock()
		return c.std
	}
	ctx, cancel := context.WithCancel((*lateParent)(c))
	_ = cancel // lateParent ends the cancelCtx, with the right error and cause
	c.std = ctx
	c.asked.Store(true)
	c.mu.Unlock()
	switch {
	case c.result.Load() != nil: // End may not have seen the child
		c.propagate()
	case c.parent.Err() != nil:
		c.owner.ParentEnded()
	case c.owner.Asked():
		c.Watch()
	}
	return ctx
}

// propagate ends the cancelCtx with result. It may be called twice.
func (c *Context) propagate() {
	c.mu.Lock()
	child := c.child
	c.mu.Unlock()
	child()
}

// lateParent is the parent of the cancelCtx. Its Done is never closed. Package
// context calls its AfterFunc instead, and passes the function that ends the
// cancelCtx, the only child.
type lateParent Context

func (*lateParent) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*lateParent) Done() <-chan struct{}       { return neverDone }

// AfterFunc is called once, by standard, with mu held.
func (p *lateParent) AfterFunc(f func()) (stop func() bool) {
	p.child = f
	return noStop
}

func (p *lateParent) Err() error {
	if r := p.result.Load(); r != nil {
		return r.err
	}
	return nil
}

func (p *lateParent) Value(key any) any {
	if key != cancelKey {
		return p.parent.Value(key)
	}
	if r := p.result.Load(); r != nil && r.ctx != nil {
		return r.ctx.Value(key) // for context.Cause
	}
	return nil
}

// String keeps fmt from printing the values of the parent.
func (*lateParent) String() string { return "bulwark.request" }

// neverDone is the Done of lateParent.
var neverDone = make(chan struct{})

func noStop() bool { return true }

// cancelKey is the key with which package context asks a context for its cancelCtx.
// The key is not exported, so it is found by a context that records the key of such
// a call.
var cancelKey = func() any {
	var s keySniffer
	_, cancel := context.WithCancel(&s)
	cancel()
	return s.key
}()

type keySniffer struct{ key any }

func (*keySniffer) Deadline() (time.Time, bool)         { return time.Time{}, false }
func (*keySniffer) Done() <-chan struct{}               { return make(chan struct{}) }
func (*keySniffer) Err() error                          { return nil }
func (*keySniffer) AfterFunc(func()) (stop func() bool) { return noStop }
func (s *keySniffer) Value(key any) any                 { s.key = key; return nil }
