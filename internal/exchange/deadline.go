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

// Rules are those of one middleware, shared by all its requests.
type Rules struct {
	Policy      Policy
	Stream      time.Duration // once the response has started: the longest silence, instead of At; 0: At counts
	Max         time.Duration // the longest a term may be moved to, from Began; 0: any
	Cooperative bool          // only the context ends
}

// Term is a deadline that a middleware set. Its moments are counted from the
// start of the exchange.
type Term struct {
	*Rules               // nil: no deadline counts
	Began  time.Duration // when the limit began to count
	At     time.Duration // when it ends; 0: never
	Budget time.Duration // what the caller gave, 0 where nothing

	enforced *Term // what is enforced after a cooperative one has ended the context
}

// deadline is the timer and what it enforces, guarded by life.mu.
type deadline struct {
	term   Term // what counts now
	timer  *time.Timer
	born   time.Duration // what Exchange.Deadline says: contexts keep the deadline they were born with
	expiry *expiry       // the deadline has won: the handler's response is no longer asked for
	firing sync.Mutex    // held by whoever enforces the expiry
	accept http.Header   // what an answer may need of the request's headers
}

// Now is the time since the start of the exchange.
func (x *Exchange) Now() time.Duration { return time.Since(x.start) }

// Arm sets a deadline and returns the one that counted before, for
// [Exchange.Disarm]. Of two, the earlier counts; but a cooperative one does not
// keep another from being enforced after it. detach says that
// [Exchange.ServeDetached] will serve.
func (x *Exchange) Arm(t Term, detach bool) (before Term) {
	x.mu.Lock()
	defer x.mu.Unlock()
	before = x.term
	if x.expiry != nil || x.lifted {
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
		if before.Rules != nil && !before.Cooperative {
			behind := before
			t.enforced = &behind
		}
	}
	if detach {
		x.detached = &detached{fired: make(chan struct{})}
	}
	x.set(t, t.At-t.Began)
	x.born = t.At
	return before
}

// sooner reports whether t ends no later than u.
func sooner(t, u Term) bool {
	return t.Rules != nil && t.At > 0 && (u.At == 0 || t.At <= u.At)
}

// set makes t count, which ends in left, with mu held.
func (x *Exchange) set(t Term, left time.Duration) {
	x.term = t
	x.stream.Store(0)
	if t.Rules != nil {
		x.stream.Store(int64(t.Stream))
	}
	switch {
	case t.Rules == nil || t.At == 0:
		if x.timer != nil {
			x.timer.Stop()
		}
	case x.timer == nil:
		x.timer = time.AfterFunc(left, x.fire)
	default:
		x.timer.Reset(left)
	}
}

// Move lets the deadline that counts end at another moment, 0 meaning never,
// and reports whether there was one to move.
func (x *Exchange) Move(at func(Term) time.Duration) (Term, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.term.Rules == nil || x.expiry != nil || x.lifted {
		return x.term, false
	}
	t := x.term
	t.At = at(t)
	if t.enforced != nil {
		behind := t.enforced.notBefore(t.At)
		t.enforced = &behind
	}
	x.set(t, t.At-x.Now())
	return t, true
}

// notBefore is t moved to at, if that is later, within its ceiling.
func (t Term) notBefore(at time.Duration) Term {
	if t.At == 0 || at > 0 && at <= t.At {
		return t
	}
	t.At = at
	if ceiling := t.Began + t.Max; t.Max > 0 && (at == 0 || at > ceiling) {
		t.At = ceiling
	}
	return t
}

// Expired reports whether the deadline has passed and been enforced.
func (x *Exchange) Expired() bool { return x.expiredAs() != nil }

// lift ends all deadlines: the connection now belongs to somebody else.
func (x *Exchange) lift() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.expiry == nil {
		x.lifted = true
		x.set(Term{}, 0)
	}
}

// Disarm ends the scope that Arm began. It reports whether the handler was in
// time; if not, the answer is complete when it returns.
func (x *Exchange) Disarm(before Term) (inTime bool) {
	x.mu.Lock()
	if due := x.dueLocked(); due > 0 && !x.term.Cooperative && x.Now() >= due {
		x.mu.Unlock()
		x.enforce(true)
		x.mu.Lock()
	}
	if e := x.expiry; e != nil {
		x.mu.Unlock()
		e.handlerBack()
		x.awaitExpiry()
		return false
	}
	last := x.term.Began == 0 // the owner's own: Leave follows at once, and settles
	if !x.lifted {
		var left time.Duration
		if before.Rules != nil {
			left = before.At - x.Now()
		}
		x.set(before, left)
		x.born = before.At
	}
	x.mu.Unlock()
	if before.Rules == nil && !last {
		x.settle()
	}
	return true
}

// streamBegan makes the silence count from now on.
func (x *Exchange) streamBegan(limit time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timer != nil && x.term.Rules != nil && x.term.At > x.Now()+limit && x.expiry == nil {
		x.timer.Reset(limit)
	}
}

// settle hands the header map back to the server once no deadline needs it.
func (x *Exchange) settle() {
	if x.apart.Load() && x.begin() == nil {
		x.unify()
		x.done()
	}
}

// unify is settle within begin and done.
func (x *Exchange) unify() {
	if x.apart.Load() {
		x.publish() // after the first byte these are the trailers
		x.apart.Store(false)
	}
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
	return x.term.Rules != nil
}
