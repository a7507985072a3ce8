package exchange

import (
	"net/http"
	"net/url"
	"reflect"
	"sync/atomic"
	"time"
)

// Phase is what the request was doing when its deadline passed.
type Phase string

// The phases, see package timeout.
const (
	PhaseBody     Phase = "body"
	PhaseHandler  Phase = "handler"
	PhaseResponse Phase = "response"
)

// Responder is implemented by package timeout. Its methods are called while the
// handler may be running.
type Responder interface {
	// Cause returns the error that the context ends with.
	Cause(d *Deadline, elapsed time.Duration, p Phase) error
	// Answer writes the response. If it writes nothing, Default does.
	Answer(w http.ResponseWriter, r *http.Request, err error)
	// Default writes the default response.
	Default(w http.ResponseWriter, err error)
}

// Rules configure the deadlines of one middleware. All its requests share them.
type Rules struct {
	Responder   Responder
	Stream      time.Duration // the longest silence after the response has started, instead of At; 0: At applies
	Max         time.Duration // the latest time to which At may be moved, counted from Began; 0: no limit
	Cooperative bool          // only the context ends
	Detach      bool          // an HTTP/2 handler may be abandoned, whatever middleware is around it
	Alarms      *Alarms       // the pool of timers; nil: none is reused
	Router      Router        // finds the route of a request; nil: none

	http1 atomic.Pointer[reflect.Type] // the type of net/http's own HTTP/1 writer, when one has been seen
}

// Deadline is a deadline set by a middleware. Its times are counted from the start
// of the exchange. A Deadline that is set is immutable, and moving it makes a copy.
// So all requests of a middleware can share one.
type Deadline struct {
	*Rules
	Began  time.Duration // when the limit began to count
	At     time.Duration // when it passes; 0: never
	Budget time.Duration // the caller's budget; 0: none

	outer       *Deadline     // the deadline of the next outer middleware
	scope       int           // identifies the deadline in its chain; outer deadlines have smaller numbers
	seen        string        // the pattern with which an outer router has chosen the middleware
	target      *url.URL      // the URL for Router, if outer middleware has changed it
	announcedAt time.Duration // what the method Deadline reported before the deadline was moved
	movedAt     time.Duration // when the handler last moved it
	passed      bool          // the deadline does not apply any more, for example because it has ended the context
}

// announcement returns what a context's Deadline reports. That is the first value,
// as for every context, until it is in the past.
func (d *Deadline) announcement(now time.Duration) time.Duration {
	if d.announcedAt > now && d.At > 0 {
		return d.announcedAt
	}
	return d.At
}

// due returns when d passes, or 0 for never. A streamed response has no deadline,
// but must not be silent for longer than Stream. By moving d, the handler can make
// one silence longer or shorter.
func (d *Deadline) due(committed bool, last time.Duration) time.Duration {
	switch {
	case d.passed:
		return 0
	case d.Stream > 0 && committed && d.movedAt <= last:
		return last + d.Stream
	default:
		return d.At
	}
}

// deadlines are the deadlines of the middleware around the handler, innermost
// first, and the alarm for the one that is due first. They change with
// Exchange.mu held.
type deadlines struct {
	innermost atomic.Pointer[Deadline]
	lifted    atomic.Bool // a hijack or a 101 has ended all deadlines
	alarm     *alarm      // nil if none is due

	detached atomic.Pointer[detached] // the handler, if it runs on its own goroutine
}

// due returns the deadline that passes first, and when, or nil.
func (x *Exchange) due() (first *Deadline, at time.Duration) {
	if x.lifted.Load() {
		return nil, 0
	}
	committed := x.committed.Load()
	last := time.Duration(x.lastWrite.Load())
	for d := x.innermost.Load(); d != nil; d = d.outer {
		if t := d.due(committed, last); t > 0 && (first == nil || t < at) {
			first, at = d, t
		}
	}
	return first, at
}

// deadline returns the earliest deadline. of returns the time of a deadline.
func (x *Exchange) deadline(of func(d *Deadline, now time.Duration) time.Duration) (time.Time, bool) {
	var after time.Duration
	if !x.lifted.Load() {
		committed := x.committed.Load()
		for d := x.innermost.Load(); d != nil; d = d.outer {
			if d.Stream > 0 && committed && d.movedAt <= time.Duration(x.lastWrite.Load()) {
				continue // only the silence of the response is bounded
			}
			if t := of(d, x.Now()); t > 0 && (after == 0 || t < after) {
				after = t
			}
		}
	}
	p, has := x.Parent().Deadline()
	if after == 0 || has && p.Before(x.start.Add(after)) {
		return p, has
	}
	return x.start.Add(after), true
}

// streams reports whether silence is bounded, once the response has begun.
func (x *Exchange) streams() bool {
	for d := x.innermost.Load(); d != nil; d = d.outer {
		if d.Stream > 0 {
			return true
		}
	}
	return false
}
