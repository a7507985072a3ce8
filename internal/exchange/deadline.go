package exchange

import (
	"context"
	"net/http"
	"sync"
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

// Policy is what a deadline asks of package timeout. Its methods are called
// from the timer's goroutine, while the handler may be running.
type Policy interface {
	// Cause makes the error that the context ends with.
	Cause(t Term, elapsed time.Duration, p Phase) error
	// Answer writes the response. Where it writes nothing, Default does.
	Answer(w http.ResponseWriter, r *http.Request, err error)
	// Default writes the answer that needs no configuration.
	Default(w http.ResponseWriter, err error)
}

// Term is a deadline that a middleware set.
type Term struct {
	Policy      Policy
	Began       time.Time     // when the limit began to count
	At          time.Time     // when it ends; zero: never
	Stream      time.Duration // once the response has started: the longest silence, instead of At; 0: At counts
	Max         time.Duration // the longest it may be moved to, from Began; 0: any
	Budget      time.Duration // what the caller gave, 0 where nothing
	Cooperative bool          // only the context ends

	enforced *Term // what is enforced after a cooperative one has ended the context
}

// deadline is the timer and what it enforces, guarded by life.mu.
type deadline struct {
	term    Term // what counts now; without a Policy nothing does
	timer   *time.Timer
	born    time.Time      // what Exchange.Deadline says: contexts keep the deadline they were born with
	expired bool           // the deadline has won: the handler's response is no longer asked for
	lifted  bool           // a hijack or a 101 has ended all deadlines
	firing  sync.WaitGroup // the timer's goroutine, once it has won
	fired   chan struct{}  // closed when it is through; only where somebody waits for it
	accept  http.Header    // what an answer may need of the request's headers
}

// Arm sets a deadline and returns the one that counted before, for
// [Exchange.Disarm]. Of two, the earlier counts; but a cooperative one does not
// keep another from being enforced after it. detach says that
// [Exchange.ServeDetached] will serve.
func (x *Exchange) Arm(t Term, detach bool) (before Term) {
	x.mu.Lock()
	defer x.mu.Unlock()
	before = x.term
	if x.expired || x.lifted {
		return before
	}
	if !t.Cooperative {
		x.apart.Store(true)
	}
	if sooner(before, t) {
		if e := before.enforced; before.Cooperative && !t.Cooperative && (e == nil || !sooner(*e, t)) {
			behind := t
			x.term.enforced = &behind
		}
		return before
	}
	if t.Cooperative {
		t.enforced = before.enforced
		if before.Policy != nil && !before.Cooperative {
			behind := before
			t.enforced = &behind
		}
	}
	if detach {
		x.fired = make(chan struct{})
	}
	x.set(t)
	x.born = t.At
	return before
}

// sooner reports whether t ends no later than u.
func sooner(t, u Term) bool {
	return t.Policy != nil && !t.At.IsZero() && (u.At.IsZero() || !u.At.Before(t.At))
}

// set makes t count, with mu held.
func (x *Exchange) set(t Term) {
	x.term = t
	x.stream.Store(int64(t.Stream))
	switch {
	case t.Policy == nil || t.At.IsZero():
		if x.timer != nil {
			x.timer.Stop()
		}
	case x.timer == nil:
		x.timer = time.AfterFunc(time.Until(t.At), x.fire)
	default:
		x.timer.Reset(time.Until(t.At))
	}
}

// Move lets the deadline that counts end at another moment, the zero time
// meaning never, and reports whether there was one to move.
func (x *Exchange) Move(at func(Term) time.Time) (Term, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.term.Policy == nil || x.expired || x.lifted {
		return x.term, false
	}
	t := x.term
	t.At = at(t)
	if t.enforced != nil {
		behind := t.enforced.notBefore(t.At)
		t.enforced = &behind
	}
	x.set(t)
	return t, true
}

// notBefore is t moved to at, if that is later, within its ceiling.
func (t Term) notBefore(at time.Time) Term {
	if t.At.IsZero() || !at.IsZero() && !at.After(t.At) {
		return t
	}
	t.At = at
	if ceiling := t.Began.Add(t.Max); t.Max > 0 && (at.IsZero() || at.After(ceiling)) {
		t.At = ceiling
	}
	return t
}

// Expired reports whether the deadline has passed and been enforced.
func (x *Exchange) Expired() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.expired
}

// lift ends all deadlines: the connection now belongs to somebody else.
func (x *Exchange) lift() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.expired {
		x.lifted = true
		x.set(Term{})
	}
}

// Disarm ends the scope that Arm began. It reports whether the handler was in
// time; if not, the answer is complete when it returns.
func (x *Exchange) Disarm(before Term) (inTime bool) {
	x.mu.Lock()
	if x.expired {
		x.mu.Unlock()
		x.handlers.returned.Store(true)
		x.firing.Wait()
		return false
	}
	if !x.lifted {
		x.set(before)
		x.born = before.At
	}
	last := before.Policy == nil
	x.mu.Unlock()
	if last {
		x.settle()
	}
	return true
}

// streamBegan makes the silence count from now on.
func (x *Exchange) streamBegan(limit time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timer != nil && x.term.Policy != nil && !x.expired && time.Until(x.term.At) > limit {
		x.timer.Reset(limit)
	}
}

// settle hands the header map back to the server once no deadline needs it.
func (x *Exchange) settle() {
	if x.apart.Load() && x.begin() == nil {
		x.publish() // after the first byte these are the trailers
		x.apart.Store(false)
		x.done()
	}
}

// fire is the timer's function.
func (x *Exchange) fire() {
	x.mu.Lock()
	t := x.term
	if t.Policy == nil || t.At.IsZero() || x.expired {
		x.mu.Unlock()
		return
	}
	at := t.At
	if t.Stream > 0 && x.committed.Load() {
		at = x.start.Add(time.Duration(x.last.Load()) + t.Stream)
	}
	if wait := time.Until(at); wait > 0 {
		x.timer.Reset(wait)
		x.mu.Unlock()
		return
	}
	x.firing.Add(1)
	defer x.firing.Done()
	if t.Cooperative {
		x.term = Term{}
		if t.enforced != nil {
			x.set(*t.enforced)
		}
		x.mu.Unlock()
		x.endContext(t.Policy.Cause(t, time.Since(t.Began), PhaseHandler))
		return
	}
	x.expired = true
	fired := x.fired
	x.mu.Unlock()
	if fired != nil {
		defer close(fired)
	}
	x.expire(t)
}

// past is a deadline that has passed for certain.
var past = time.Unix(1, 0)

// expire enforces the deadline. The order matters: no write may slip through
// after the context ended, and from Go 1.27 on the answer to an Expect:
// 100-continue request waits for a lock that the stuck Read holds.
func (x *Exchange) expire(t Term) {
	broken := x.breakIn(http.ErrHandlerTimeout)
	gone := x.ClientGone()
	err := t.Policy.Cause(t, time.Since(t.Began), x.phase())
	x.notes.expiredWith(err, gone)
	x.endContext(err)
	if x.body.pending() {
		_ = x.inner.setReadDeadline(past) // where it cannot be set, nobody can be freed by it
	}
	switch {
	case x.hijacked: // while the timer was on its way
	case x.committed.Load():
		x.breakOff(!broken)
		x.sever()
	case gone:
		x.cut = true
	default:
		x.answer(t.Policy, err)
	}
	x.end(nil)
}

func (x *Exchange) endContext(cause error) {
	c, cancel := context.WithDeadlineCause(context.Background(), past, cause)
	defer cancel()
	x.finish(&c)
}

// phase tells what the request is doing, once no write can start any more.
func (x *Exchange) phase() Phase {
	switch {
	case x.committed.Load():
		return PhaseResponse
	case x.body.reading.Load():
		return PhaseBody
	default:
		return PhaseHandler
	}
}

// Armed reports whether a deadline counts.
func (x *Exchange) Armed() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.term.Policy != nil
}
