package exchange

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/internal/reqctx"
)

// How long to wait. Only returnGrace delays an answer.
const (
	// returnGrace is how long a handler has to return after the end of its context.
	// After that the answer is sent while the handler runs.
	returnGrace = time.Millisecond
	// idleGrace is how long a write in progress may take to finish. After that the
	// write counts as blocked by a client that does not read.
	idleGrace = 5 * time.Millisecond
	// headGrace is the same for an HTTP/2 write that may not have sent the head yet.
	// It is also how long the server may take to end a blocked write.
	headGrace = 50 * time.Millisecond
	// abandonGrace is how long the handler has to return after the answer before it
	// counts as abandoned, so that a handler that obeys its context is not
	// reported. Only the log record waits for this.
	abandonGrace = 5 * time.Millisecond
	// clientGoneGrace is how long the handler has to return after the client has
	// left before it counts as abandoned. It is longer, because no answer has to
	// wait, and handlers may have to cancel a query or roll back a transaction.
	clientGoneGrace = 100 * time.Millisecond
	// resetGrace is how long an HTTP/2 stream stays open after its answer, so
	// that the handler can return and the client can read the answer.
	resetGrace = 100 * time.Millisecond
	// answerTimeout bounds the write of an answer, and abortTimeout the last flush
	// of an aborted response. A client that does not read must not block the
	// timer's goroutine.
	answerTimeout = 5 * time.Second
	abortTimeout  = time.Second
	// hookGrace is how long an ErrorHandler may take at a deadline.
	hookGrace = 5 * time.Second
)

// expired is a deadline in the past.
var expired = time.Unix(1, 0)

// earlyEnd is the end of a request before its handler has returned: at a
// deadline, or because the client left.
type earlyEnd struct {
	returned  chan struct{} // closed when the handler has returned
	once      sync.Once
	done      chan struct{} // closed when the request has ended and the observers were called
	at        time.Duration // when the response ended
	abandoned bool          // the handler was still running after abandonGrace; read it only after done
	gone      bool          // the client left
	stuck     bool          // a write does not end, so wmu is held; read it only after done
	from      state         // the state before, with its flags
	abandon   *time.Timer   // see abandonAtDeadline; read it only after done
}

func newEarlyEnd() *earlyEnd {
	return &earlyEnd{returned: make(chan struct{}), done: make(chan struct{})}
}

// aborted reports whether the response had been aborted before.
func (e *earlyEnd) aborted() bool { return e.from&^flags == aborted }

func (e *earlyEnd) handlerReturned() { e.once.Do(func() { close(e.returned) }) }

// await waits for the handler, and reports whether it has returned.
func (e *earlyEnd) await(d time.Duration) bool {
	select {
	case <-e.returned:
		return true
	default:
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-e.returned:
		return true
	case <-t.C:
		return false
	}
}

// earlyEnd returns the early end of the request, or nil.
func (x *Exchange) earlyEnd() *earlyEnd {
	if s := x.state.load(); s != late && s != gone {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.extras().early
}

// EndedEarly reports whether the request has ended before its handler returned. The
// observers then run on a goroutine of this package.
func (x *Exchange) EndedEarly() bool {
	s := x.state.load()
	return s == late || s == gone
}

// Expired reports whether a deadline has passed and ended the request.
func (x *Exchange) Expired() bool { return x.state.load() == late }

// Abandoned reports whether the deadline has ended the request and the handler is
// still running.
func (x *Exchange) Abandoned() bool {
	e := x.earlyEnd()
	if e == nil || e.gone {
		return false
	}
	select {
	case <-e.returned:
		return false
	default:
		return true
	}
}

// expire ends a request at its deadline, after endLate. The order matters. The
// context ends first, because everything after it may fail. A read of the body is
// unblocked before the answer is sent, because from Go 1.27 on the answer to an
// Expect: 100-continue request waits for a lock that the Read holds.
func (x *Exchange) expire(d *Deadline, e *earlyEnd) {
	defer close(e.done)
	over := x.serverFinished()
	phase, left := x.phase(), x.state.has(clientLeft) || !e.aborted() && x.detectClientGone()
	err := d.Responder.Cause(d, x.Now()-d.Began, phase)
	if !e.aborted() {
		x.Notes.noteDeadline(err)
	}
	if left {
		x.ctx.End(reqctx.Canceled(ErrClientGone))
	} else {
		x.ctx.End(reqctx.Expired(err))
	}
	end := actNone
	if !over {
		if !x.drained.Load() {
			_ = x.setReadDeadline(expired) // if this fails, a blocked read stays blocked
		}
		end = x.endResponse(d, e, err)
	}
	e.at = x.Now()
	det := x.detached.Load()
	if det != nil {
		x.findRoute(d, false) // for middleware outside, see returnRoute
		close(det.answered)
	}
	e.abandoned = !e.await(abandonGrace)
	if e.abandoned {
		end.apply(x)
	}
	if det == nil || !e.abandoned {
		x.findRoute(d, !e.abandoned)
	}
	x.end(nil)
}

// phase returns what the request was doing. It is called when no write can start
// any more.
func (x *Exchange) phase() Phase {
	switch {
	case x.committed.Load():
		return PhaseResponse
	case x.waiting.Load() > 0:
		return PhaseBody
	default:
		return PhaseHandler
	}
}

// routed returns d, or a copy of d with what findRoute needs to know about r.
func (d *Deadline) routed(r *http.Request) *Deadline {
	if d.Router == nil {
		return d
	}
	rest, same := strings.CutPrefix(r.RequestURI, r.URL.Path)
	changed := !same || rest != "" && rest[0] != '?'
	if r.Pattern == "" && !changed {
		return d
	}
	own := *d
	own.seen = r.Pattern
	if changed { // for example by http.StripPrefix
		u := *r.URL
		own.target = &u
	}
	return &own
}

// findRoute asks the router for the pattern, because the handler's request cannot
// be read unless the handler has returned. A pattern that is already known is kept,
// unless it comes from an outer router or from a router on the way to the handler.
func (x *Exchange) findRoute(d *Deadline, returned bool) {
	if returned && x.req.Pattern != "" {
		x.SetRoute(x.req.Pattern)
		return
	}
	if d.Router == nil {
		return
	}
	x.mu.Lock()
	known := x.route
	x.mu.Unlock()
	if known == d.seen {
		known = ""
	}
	x.containFor("the router", func() {
		r := x.snapshot()
		if d.target != nil {
			r.URL = d.target
		}
		x.SetRoute(askRouter(d.Router, r, known))
	})
}

// askRouter returns the pattern that rt, or a router inside it, finds for r after
// the known pattern. It returns "" if there is none.
func askRouter(rt Router, r *http.Request, known string) (pattern string) {
	for range maxChain {
		h, found := rt.Handler(r)
		switch {
		case found == "":
			return pattern
		case known == "":
			pattern = found
		case known == found:
			known = ""
		}
		if rt = RouterOf(h); rt == nil {
			break
		}
	}
	return pattern
}

// Router finds the route of a request before it is served. http.ServeMux implements
// it.
type Router interface {
	Handler(r *http.Request) (h http.Handler, pattern string)
}

// RouterOf returns next if it is a router, or the router that our own middleware
// in next leads to, or nil.
func RouterOf(next http.Handler) Router {
	switch n := next.(type) {
	case Router:
		return n
	case interface{ ExchangeRouter() Router }:
		return n.ExchangeRouter()
	}
	return nil
}

// Contain runs f, which is the application's code, on another goroutine, so that
// runtime.Goexit ends nothing else. A panic is reported. Contain reports whether
// f returned.
func (x *Exchange) Contain(what string, f func()) (ok bool) { return <-x.startContained(what, f) }

// containFor is like Contain, but waits no longer than hookGrace.
func (x *Exchange) containFor(what string, f func()) (ok bool) {
	t := time.NewTimer(hookGrace)
	defer t.Stop()
	select {
	case ok = <-x.startContained(what, f):
		return ok
	case <-t.C:
		return false
	}
}

func (x *Exchange) startContained(what string, f func()) (returned <-chan bool) {
	done := make(chan bool, 1)
	go func() {
		ok := false
		defer func() {
			if v := recover(); v != nil {
				x.hookPanicked(what, v)
			}
			done <- ok
		}()
		f()
		ok = true
	}()
	return done
}

func (x *Exchange) setReadDeadline(t time.Time) error {
	return http.NewResponseController(x.inner).SetReadDeadline(t)
}

func (x *Exchange) setWriteDeadline(t time.Time) error {
	return http.NewResponseController(x.inner).SetWriteDeadline(t)
}
