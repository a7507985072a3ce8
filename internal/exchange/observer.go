package exchange

import (
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/bulwark-go/bulwark/internal/errtree"
)

// observing has the observers of a request.
type observing struct {
	route    string // the last pattern seen on the handler's own goroutine; guarded by Exchange.mu
	first    [1]Observer
	follows  atomic.Uint32 // hasObserver, hasWatch
	notified bool          // the observers were called; guarded by Exchange.mu
	ownWatch bool          // see OwnWatch
	scoped   bool          // see ScopeWatch
}

// Who follows a request. Both are flags of one word, so that followed reads one.
const (
	hasObserver uint32 = 1 << iota
	hasWatch           // see PublishWatch
)

// Observer gets the Ending of a request.
type Observer interface {
	// ID returns the request id that the observer has assigned, or "".
	ID() string
	// Ended is called once, when the request has ended for the client. It runs on
	// the goroutine that ended the request: the server's, or a timer's if the
	// handler is still running. It must not use the request's maps.
	Ended(x *Exchange, e Ending)
	// Late is called after Ended when an abandoned handler has returned, or when a
	// handler has panicked too late for a response. panicked is the value of the
	// panic, or nil.
	Late(x *Exchange, panicked any, stack []byte)
}

// Observe adds an observer. If the request has ended, the observer is called at
// once.
func (x *Exchange) Observe(o Observer) {
	x.mu.Lock()
	if x.first[0] == nil {
		x.first[0] = o
	} else {
		x.ensureExtras().observers = append(slices.Clip(x.observers()), o)
	}
	x.follows.Or(hasObserver)
	late := x.notified
	x.mu.Unlock()
	if late {
		var e Ending
		x.describeEnd(&e, nil)
		o.Ended(x, e)
	}
}

// followed reports whether an observer or package inspect needs the Ending.
func (x *Exchange) followed() bool { return x.follows.Load() != 0 || x.ownWatch }

// observed reports whether there are observers.
func (x *Exchange) observed() bool { return x.follows.Load()&hasObserver != 0 }

// Observers returns the observers. The caller must not change the slice.
func (x *Exchange) Observers() []Observer {
	if !x.observed() {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.observers()
}

// observers is Observers with mu held.
func (x *Exchange) observers() []Observer {
	if all := x.extras().observers; all != nil {
		return all
	}
	if x.first[0] != nil {
		return x.first[:]
	}
	return nil
}

// end calls the observers when it is first called.
func (x *Exchange) end(panicked any) {
	early := x.earlyEnd() != nil
	if !x.followed() && !early { // there is no observer, and none can be added
		return
	}
	x.mu.Lock()
	done, all := x.notified, x.observers()
	x.notified = true
	x.mu.Unlock()
	watch := x.watched()
	if done || len(all) == 0 && watch == nil {
		return
	}
	var e Ending
	x.describeEnd(&e, panicked)
	if watch != nil {
		if e.Abandoned {
			e.Where = x.abandonedStack(watch, &e)
		}
		watch.Ended(x, watch.Slot, e.Route, e.Outcome, e.Duration)
		if e.Outcome != OK && e.Outcome != Upgraded {
			watch.Failed(x, e)
		}
	}
	for _, o := range all {
		if early {
			x.notifyApart(o, e)
		} else {
			o.Ended(x, e)
		}
	}
}

// notifyApart notifies an observer on another goroutine.
func (x *Exchange) notifyApart(o Observer, e Ending) {
	x.Survive("the observer", func() { o.Ended(x, e) })
}

// notifyLate tells the observers that the handler has returned after its request
// ended.
func (x *Exchange) notifyLate(panicked any, stack []byte) {
	for _, o := range x.Observers() {
		x.Survive("the observer", func() { o.Late(x, panicked, stack) })
	}
}

// Survive calls f. If f panics, Survive recovers and reports the panic.
func (x *Exchange) Survive(what string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			x.hookPanicked(what, v)
		}
	}()
	f()
}

// hookPanicked reports a recovered panic of the application's code.
func (x *Exchange) hookPanicked(what string, v any) {
	defer func() { _ = recover() }() // ErrorLog may panic as well
	x.Logf("bulwark: %s panicked: %s\n%s", what, errtree.Printed(v), debug.Stack())
}

// ID returns the id of the request, or "".
func (x *Exchange) ID() string {
	for _, o := range x.Observers() {
		if id := o.ID(); id != "" {
			return id
		}
	}
	return ""
}
