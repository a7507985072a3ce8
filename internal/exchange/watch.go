package exchange

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Watch is what package inspect attaches to a request in flight. It belongs to a
// slot that later requests use again, so its exported fields never change.
type Watch struct {
	Inspector
	Holder *atomic.Pointer[Exchange] // the request that has the slot now; nil: the slot is shared
	Slot   uint32
	Labels any // the profiler labels of the request's context; nil: the same as without a Watch
}

// Inspector is implemented by package inspect. The arguments of its methods are
// values, because a pointer to an Ending would cost an allocation for each request.
type Inspector interface {
	// Stack returns the stack of an abandoned handler, or "" if no stack is taken
	// now.
	Stack(x *Exchange, w *Watch, route string) string
	// Ended is called once, before the observers and on the same goroutine.
	Ended(x *Exchange, slot uint32, route string, o Outcome, took time.Duration)
	// Failed is called after Ended, unless the outcome is OK or Upgraded.
	Failed(x *Exchange, e Ending)
	// Left is called when the server's goroutine leaves the outermost middleware.
	Left(x *Exchange, w *Watch)
}

// Inspection is the exchange with the methods for package inspect.
type Inspection Exchange

// Inspection returns what package inspect needs of the request.
func (x *Exchange) Inspection() *Inspection { return (*Inspection)(x) }

// SetWatch sets the Watch of a request that has none. It takes effect with
// PublishWatch or OwnWatch. Only the goroutine that serves the request may call these.
func (i *Inspection) SetWatch(w *Watch) { i.watch = w }

// PublishWatch attaches the Watch, after SetWatch.
func (i *Inspection) PublishWatch() { i.follows.Or(hasWatch) }

// OwnWatch attaches the Watch without an atomic operation. Only the outermost
// middleware may call it, while no other goroutine has the exchange. SetWatch
// may follow as long as that is so.
func (i *Inspection) OwnWatch() { i.ownWatch = true }

// ScopeWatch says that the caller takes the Watch back itself, so Left is not called.
func (i *Inspection) ScopeWatch() { i.scoped = true }

// Watched reports whether there is a Watch.
func (i *Inspection) Watched() bool { return i.ownWatch || i.follows.Load()&hasWatch != 0 }

// watched returns the Watch, or nil. Nothing else may read the field: unless a flag
// is set, another goroutine may be writing to it.
func (x *Exchange) watched() *Watch {
	if !x.Inspection().Watched() {
		return nil
	}
	return x.watch
}

// abandonedStack returns the stack of the abandoned handler.
func (x *Exchange) abandonedStack(w *Watch, e *Ending) (stack string) {
	x.Survive("the inspector", func() { stack = w.Stack(x, w, e.Route) })
	return stack
}

// SetQueued records whether the request waits for a permit.
func (x *Exchange) SetQueued(queued bool) { x.ensureExtras().queued.Store(queued) }

// Activity is what a request in flight is doing.
type Activity string

// The activities.
const (
	Queued   Activity = "queued"   // the request waits for a permit
	Reading  Activity = "reading"  // a read waits for the client's body
	Handling Activity = "handler"  // none of the other activities
	Writing  Activity = "writing"  // a write waits for the client to read
	Hijacked Activity = "hijacked" // the handler has hijacked the connection
)

// View is a request in flight as another goroutine sees it.
type View struct {
	Activity  Activity
	BytesIn   int64     // bytes of the request's body that were read
	BytesOut  int64     // bytes of the response's body that the server accepted
	Begun     bool      // the response has begun
	Abandoned bool      // the request has ended, but its handler is running
	Deadline  time.Time // the earliest deadline, even if it has passed; zero if there is none
}

// View may be called from any goroutine, and changes nothing.
func (i *Inspection) View() View {
	x := (*Exchange)(i)
	s := x.state.load()
	v := View{
		BytesIn: x.bytesIn.Load(), BytesOut: x.viewWritten(), Begun: x.committed.Load(),
		Abandoned: s == late || s == gone,
	}
	switch {
	case s == upgraded:
		v.Activity = Hijacked
	case x.extras().queued.Load():
		v.Activity = Queued
	case x.state.has(writing):
		v.Activity = Writing
	case x.waiting.Load() > 0:
		v.Activity = Reading
	default:
		v.Activity = Handling
	}
	if !x.lifted.Load() {
		v.Deadline = x.viewDeadline()
	}
	return v
}

// viewWritten returns what was written before the write in progress.
func (x *Exchange) viewWritten() int64 {
	if x.wmu.TryLock() {
		defer x.wmu.Unlock()
		return x.written
	}
	written, _ := x.published()
	return written
}

// viewDeadline returns the deadline that passes next. If all have passed, it
// returns the earliest one.
func (x *Exchange) viewDeadline() (at time.Time) {
	_, after := x.due()
	if after == 0 {
		for d := x.innermost.Load(); d != nil; d = d.outer {
			if d.At > 0 && (after == 0 || d.At < after) {
				after = d.At
			}
		}
	}
	if after > 0 {
		at = x.start.Add(after)
	}
	if p, ok := x.Parent().Deadline(); ok && (at.IsZero() || p.Before(at)) {
		return p
	}
	return at
}

// RouteNow returns the pattern of a request in flight. If the pattern is not known,
// RouteNow asks the router, but does not store the result, because the log record
// must not depend on this call.
func (i *Inspection) RouteNow() (pattern string) {
	x := (*Exchange)(i)
	x.mu.Lock()
	pattern = x.route
	x.mu.Unlock()
	if pattern != "" {
		return pattern
	}
	defer func() {
		if recover() != nil { // the router may be the application's code
			pattern = ""
		}
	}()
	if rt := x.router(); rt != nil {
		pattern = askRouter(rt, x.bare(make(http.Header)), "")
	}
	return pattern
}

// router returns the router that the deadline or the outermost middleware leads
// to.
func (x *Exchange) router() Router {
	if d := x.innermost.Load(); d != nil && d.Router != nil {
		return d.Router
	}
	h, _ := x.handler.(http.Handler)
	return RouterOf(h)
}

// Describer is an observer that can describe a request. Package logging implements
// it.
type Describer interface {
	// Describe returns what the log record will say about the request. It may be
	// called from any goroutine.
	Describe(pattern string) Description
	// Explain returns why the request failed, as the log record says it. It calls
	// methods of errors, which are the application's code.
	Explain(e *Ending) (kind, message string)
}

// Description describes a request in texts that are escaped and redacted.
type Description struct {
	ID, Method, Route, Path, Client, Agent, Protocol string
}

// Describer returns the first Describer among the observers, or nil.
func (i *Inspection) Describer() Describer {
	for _, o := range (*Exchange)(i).Observers() {
		if d, ok := o.(Describer); ok {
			return d
		}
	}
	return nil
}
