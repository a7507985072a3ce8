package exchange

import (
	"slices"
	"sync/atomic"
)

// Observer is told how the request ended.
type Observer interface {
	// ID is the id of the request, "" where the observer gave it none.
	ID() string
	// Ended is called once, at the moment the request ended for the client,
	// on the goroutine that ended it: the server's, or a timer's while the
	// handler is still running. It must not touch the request's maps.
	Ended(x *Exchange, e Ending)
	// Late is called after Ended, when a handler that was abandoned has ended,
	// and when one panicked too late to be answered; panicked is the value, or
	// nil.
	Late(x *Exchange, panicked any, stack []byte)
}

// watchers are the observers, guarded by life.mu: one that stands inside of
// the deadline may come while that ends the request.
type watchers struct {
	first    [1]Observer // the usual one
	observed atomic.Bool // there are any
	over     bool        // they were told
}

// Observe adds an observer. To one that comes when the request has ended it is
// told at once.
func (x *Exchange) Observe(o Observer) {
	x.mu.Lock()
	if x.first[0] == nil {
		x.first[0] = o
	} else {
		x.rarely().observers = append(slices.Clip(x.observers()), o)
	}
	x.observed.Store(true)
	over := x.over
	x.mu.Unlock()
	if over {
		o.Ended(x, x.ending(nil))
	}
}

// Observers are those added so far. The slice is not to be changed.
func (x *Exchange) Observers() []Observer {
	if !x.observed.Load() {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.observers()
}

// observers is Observers with mu held.
func (x *Exchange) observers() []Observer {
	if all := x.rare().observers; all != nil {
		return all
	}
	if x.first[0] != nil {
		return x.first[:]
	}
	return nil
}

// end tells the observers how the request ended, on the first call.
func (x *Exchange) end(panicked any) {
	if !x.observed.Load() && !x.Expired() { // nobody is there, and nobody can come
		return
	}
	x.mu.Lock()
	told, all := x.over, x.observers()
	x.over = true
	x.mu.Unlock()
	if told || len(all) == 0 {
		return
	}
	e := x.ending(panicked)
	for _, o := range all {
		o.Ended(x, e)
	}
}

// ID is the id of the request, "" while it has none.
func (x *Exchange) ID() string {
	for _, o := range x.Observers() {
		if id := o.ID(); id != "" {
			return id
		}
	}
	return ""
}
