package exchange

import (
	"context"
	"net/http"
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

// Policy is what a deadline asks of package timeout. Its methods are called
// from the timer's goroutine, while the handler may be running.
type Policy interface {
	// Cause makes the error that the context ends with.
	Cause(t *Term, elapsed time.Duration, p Phase) error
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
	Alarms      *Alarms       // where the timers come from; nil: each is made anew
}

// Term is a deadline that a middleware set. Its moments are counted from the
// start of the exchange. It never changes once it is armed, so that all
// requests of a New can share one.
type Term struct {
	*Rules               // nil: no deadline counts
	Began  time.Duration // when the limit began to count
	At     time.Duration // when it ends; 0: never
	Budget time.Duration // what the caller gave, 0 where nothing

	moved    bool          // At is no longer what contexts were told
	told     time.Duration // what they were told, then
	enforced *Term         // what is enforced after a cooperative one has ended the context
}

// counts reports whether t is a deadline.
func (t *Term) counts() bool { return t != nil && t.Rules != nil }

// announced is what Exchange.Deadline says: contexts keep the deadline they
// were born with.
func (t *Term) announced() time.Duration {
	switch {
	case t == nil:
		return 0
	case t.moved:
		return t.told
	default:
		return t.At
	}
}

// deadline is the timer and what it enforces. It changes with life.mu held.
type deadline struct {
	term   atomic.Pointer[Term]   // what counts now, nil where nothing does
	expiry atomic.Pointer[expiry] // the deadline has won: the handler's response is no longer asked for
	alarm  *alarm                 // nil while no deadline counts
}

// Now is the time since the start of the exchange.
func (x *Exchange) Now() time.Duration { return time.Since(x.start) }

// Arm sets a deadline and returns the one that counted before, for
// [Exchange.Disarm]. Of two, the earlier counts; but a cooperative one does not
// keep another from being enforced after it. detach says that
// [Exchange.ServeDetached] will serve.
func (x *Exchange) Arm(t *Term, detach bool) (before *Term) {
	x.mu.Lock()
	defer x.mu.Unlock()
	before = x.term.Load()
	if x.expiry.Load() != nil || x.lifted {
		return before
	}
	if !t.Cooperative {
		x.headers.CompareAndSwap(headersShared, headersApart)
	}
	if sooner(before, t) {
		if e := before.enforced; before.Cooperative && !t.Cooperative && (e == nil || !sooner(e, t)) {
			first := *before
			first.enforced = t
			x.term.Store(&first)
		}
		return before
	}
	if t.Cooperative && before.counts() {
		first := *t
		first.enforced = before.enforced
		if !before.Cooperative {
			first.enforced = before
		}
		t = &first
	}
	if detach {
		x.rarely().detached = &detached{fired: make(chan struct{})}
	}
	x.set(t, t.At-t.Began)
	return before
}

// sooner reports whether t ends no later than u.
func sooner(t, u *Term) bool {
	return t.counts() && t.At > 0 && (u.At == 0 || t.At <= u.At)
}

// set makes t count, which ends in left, with mu held.
func (x *Exchange) set(t *Term, left time.Duration) {
	x.term.Store(t)
	switch {
	case !t.counts() || t.At == 0:
		if x.alarm != nil {
			x.alarm.cancel()
			x.alarm = nil
		}
	case x.alarm == nil:
		x.alarm = t.Alarms.set(x, left)
	default:
		x.alarm.timer.Reset(left)
	}
}

// Move lets the deadline that counts end at another moment, 0 meaning never.
// It returns nil where there is none to move.
func (x *Exchange) Move(at func(*Term) time.Duration) *Term {
	x.mu.Lock()
	defer x.mu.Unlock()
	before := x.term.Load()
	if !before.counts() || x.expiry.Load() != nil || x.lifted {
		return nil
	}
	t := *before
	t.At, t.moved, t.told = at(before), true, before.announced()
	if t.enforced != nil {
		t.enforced = t.enforced.notBefore(t.At)
	}
	x.set(&t, t.At-x.Now())
	return &t
}

// notBefore is t moved to at, if that is later, within its ceiling.
func (t *Term) notBefore(at time.Duration) *Term {
	if t.At == 0 || at > 0 && at <= t.At {
		return t
	}
	later := *t
	later.At = at
	if ceiling := t.Began + t.Max; t.Max > 0 && (at == 0 || at > ceiling) {
		later.At = ceiling
	}
	return &later
}

// Expired reports whether the deadline has passed and been enforced.
func (x *Exchange) Expired() bool { return x.expiry.Load() != nil }

// lift ends all deadlines: the connection now belongs to somebody else.
func (x *Exchange) lift() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.expiry.Load() == nil {
		x.lifted = true
		x.pass()
	}
}

// pass leaves of the deadline that counts only what contexts were told of it,
// with mu held.
func (x *Exchange) pass() {
	if t := x.term.Load(); t != nil {
		x.set(&Term{moved: true, told: t.announced()}, 0)
	}
}

// Disarm ends the scope that Arm began. It reports whether the handler was in
// time; if not, the answer is complete when it returns. last says that
// [Exchange.Leave] follows at once, and settles.
func (x *Exchange) Disarm(before *Term, last bool) (inTime bool) {
	x.mu.Lock()
	if due := x.dueLocked(); due > 0 && !x.term.Load().Cooperative && x.Now() >= due {
		x.mu.Unlock()
		x.enforce(true)
		x.mu.Lock()
	}
	if e := x.expiry.Load(); e != nil {
		x.mu.Unlock()
		if e.departed {
			return true // nothing was answered; Leave tells of the late end
		}
		e.handlerBack()
		x.awaitExpiry()
		return false
	}
	if !x.lifted {
		var left time.Duration
		if before.counts() {
			left = before.At - x.Now()
		}
		x.set(before, left)
	}
	x.mu.Unlock()
	if !before.counts() && !last {
		x.settle()
	}
	return true
}

// streamBegan makes the silence count from now on.
func (x *Exchange) streamBegan() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if t := x.term.Load(); x.alarm != nil && t.At > x.Now()+t.Stream && x.expiry.Load() == nil {
		x.alarm.timer.Reset(t.Stream)
	}
}

// settle hands the header map back to the server once no deadline needs it.
func (x *Exchange) settle() {
	if x.headers.Load() != headersShared && x.begin() == nil {
		x.unify()
		x.done()
	}
}

// unify is settle within begin and done.
func (x *Exchange) unify() {
	if x.headers.Load() != headersShared {
		x.publish() // after the first byte these are the trailers
		if x.headers.Swap(headersShared) == headersOwn {
			x.mu.Lock()
			x.own = nil
			x.mu.Unlock()
		}
	}
}

func (x *Exchange) endContext(cause error) {
	c, cancel := context.WithDeadlineCause(context.Background(), past, cause)
	defer cancel()
	x.finishAs(c)
}

// phase tells what the request is doing, once no write can start any more.
func (x *Exchange) phase() Phase {
	switch {
	case x.committed.Load():
		return PhaseResponse
	case x.waiting.Load():
		return PhaseBody
	default:
		return PhaseHandler
	}
}

// Armed reports whether a deadline counts.
func (x *Exchange) Armed() bool { return x.term.Load().counts() }

// streams reports whether silence is bounded, once the response has begun.
func (x *Exchange) streams() bool {
	t := x.term.Load()
	return t.counts() && t.Stream > 0
}

// overdue reports whether the deadline has passed before the response began,
// and the timer is late, as on a machine that was stopped. A handler that
// reached its deadline must not win against a slow timer.
func (x *Exchange) overdue() bool {
	t := x.term.Load()
	return t.counts() && !t.Cooperative && t.At > 0 && !x.committed.Load() &&
		x.gate.Load() == gateOpen && x.Now() >= t.At
}
