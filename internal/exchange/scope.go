package exchange

import (
	"net/http"
	"runtime/debug"
)

// ServeUntil runs the handler with a deadline. If there are several deadlines, the
// first one that passes ends the request.
func (x *Exchange) ServeUntil(d *Deadline, next http.Handler, w http.ResponseWriter, r *http.Request) {
	scope, outermost, ok := x.push(d, r)
	switch {
	case !ok: // the request has ended already
		next.ServeHTTP(w, r)
	case !outermost:
		defer x.pop(scope)
		passed := r
		if at, has := r.Context().Deadline(); !has || x.start.Add(d.At).Before(at) {
			passed = r.WithContext(x.WithDeadline(r.Context())) // an outer Override has set another deadline
			defer HandBack(passed, r)
		}
		next.ServeHTTP(w, passed)
	case !d.Cooperative && x.detachable(d, w):
		x.serveDetached(next, w, r)
	default:
		x.serveInPlace(next, w, r)
	}
}

// push adds a deadline as the innermost one. It returns the scope to pass to pop.
func (x *Exchange) push(d *Deadline, r *http.Request) (scope int, outermost, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.load()
	if s == late || s == gone || x.lifted.Load() {
		return 0, false, false
	}
	d = d.routed(r)
	outer := x.innermost.Load()
	if outer != nil {
		inner := *d
		inner.outer, inner.scope = outer, outer.scope+1
		d = &inner
	}
	if !d.Cooperative {
		x.separateHeaders(d.Rules)
	}
	x.innermost.Store(d)
	x.setAlarm(d.Began)
	return d.scope, outer == nil, true
}

// pop ends the scope that push began. That need not be the innermost scope, because
// a handler may serve parts of a request on several goroutines. For the outermost
// scope, in reports whether the handler was in time. If it was not, the deadline's
// answer was sent.
func (x *Exchange) pop(scope int) (in bool) {
	x.mu.Lock()
	d, at := x.due()
	if d != nil && !d.Cooperative && x.Now() >= at {
		e, won := x.endLate()
		x.mu.Unlock()
		if won {
			e.handlerReturned()
			x.expire(d, e)
		}
		x.mu.Lock()
	}
	if inner := x.innermost.Load(); inner != nil { // otherwise the request has ended while the handler was running
		x.innermost.Store(inner.without(scope))
	}
	x.setAlarm(0)
	last := x.innermost.Load() == nil
	x.mu.Unlock()
	if last {
		x.returnHeaders()
	}
	return x.state.load() != late
}

// without returns d and its outer deadlines, except for the deadline of the given
// scope.
func (d *Deadline) without(scope int) *Deadline {
	switch {
	case d == nil:
		return nil
	case d.scope == scope:
		return d.outer
	}
	m := *d
	m.outer = d.outer.without(scope)
	return &m
}

// outermostScope is the scope that push returns for the first deadline.
const outermostScope = 0

// serveInPlace runs the handler on this goroutine, in the outermost scope.
func (x *Exchange) serveInPlace(next http.Handler, w http.ResponseWriter, r *http.Request) {
	defer x.afterInPlace()
	next.ServeHTTP(w, r)
}

// afterInPlace is deferred. If the handler was in time, a panic continues
// unchanged. If not, afterInPlace recovers the panic.
func (x *Exchange) afterInPlace() {
	at := x.endsBy()
	x.boundEnd(at)
	if x.pop(outermostScope) {
		x.boundStream(at)
		return
	}
	e := x.earlyEnd()
	e.handlerReturned()
	res := result{panicked: recover()}
	if res.panicked != nil {
		res.stack = debug.Stack()
	}
	x.reportLate(res)
	x.drainRequest()
}
