package exchange

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/internal/errtree"
	"github.com/bulwark-go/bulwark/internal/respwriter"
)

// detached is a handler that runs on its own goroutine and may outlive its request.
// It exists because an HTTP/2 stream ends only when the server's goroutine returns.
type detached struct {
	answered chan struct{} // closed when the deadline's answer was sent, or at a deadline after the client has left

	mu        sync.Mutex
	ended     bool
	abandoned bool // the handler was abandoned
	onEnd     []func()
}

// Detached reports whether a handler was abandoned on its own goroutine and has not
// ended yet.
func (x *Exchange) Detached() bool {
	d := x.detached.Load()
	return d != nil && d.leftBehind()
}

func (d *detached) leftBehind() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.abandoned && !d.ended
}

// reportsItself reports whether a handler was abandoned. Its own goroutine then
// reports its return.
func (x *Exchange) reportsItself() bool {
	d := x.detached.Load()
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.abandoned
}

// detachable reports whether the handler of an HTTP/2 request may run on its own
// goroutine and be abandoned at its deadline. If a router around the handler pools
// its contexts (Gin, Echo, chi), the next request would get the context that the
// handler still uses. So there are two conditions, of which one must hold. Either
// only our own middleware is around the handler, which is so if the outermost one
// is the server's handler. Or the application asserts with Detach that nothing
// around the handler is reused.
func (x *Exchange) detachable(d *Deadline, w http.ResponseWriter) bool {
	if x.original.ProtoMajor != 2 {
		return false
	}
	if d.Detach {
		return true
	}
	own, ok := respwriter.Is[*responseWriter](w)
	if !ok || (*Exchange)(own) != x {
		return false
	}
	srv := x.server()
	return srv != nil && leadsTo(srv.Handler, x.handler, d.Responder)
}

// leadsTo reports whether only our own middleware is between h and target, the
// middleware of the deadline, and whether maker, which made the exchange, is part
// of it. Our middlewares are pointers, so they can be compared.
func leadsTo(h http.Handler, maker Handler, target Responder) bool {
	made := false
	for range maxChain {
		if m, ok := h.(Handler); ok && m == maker {
			made = true
		}
		if r, ok := h.(Responder); ok && r == target {
			return made
		}
		n, ok := h.(interface{ ExchangeNext() http.Handler })
		if !ok {
			return false
		}
		h = n.ExchangeNext()
	}
	return false
}

// maxChain bounds the walk through our middleware.
const maxChain = 32

// WhenHandlerEnds calls f when no handler of this request is running any more. If a
// handler was abandoned, f is called later on the goroutine of that handler;
// otherwise at once.
func (x *Exchange) WhenHandlerEnds(f func()) {
	if d := x.detached.Load(); d != nil && d.addOnEnd(f) {
		return
	}
	f()
}

func (d *detached) addOnEnd(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.abandoned || d.ended {
		return false
	}
	d.onEnd = append(d.onEnd, f)
	return true
}

// result is how a detached handler ended.
type result struct {
	panicked any
	stack    []byte
	goexit   bool
	in       bool          // the handler was in time
	endsBy   time.Duration // see the method
}

// detach returns nil if the request has ended already: its end would not close answered.
func (x *Exchange) detach() *detached {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.state.load(); s == late || s == gone {
		return nil
	}
	d := &detached{answered: make(chan struct{})}
	x.detached.Store(d)
	return d
}

// serveDetached runs the handler on its own goroutine, in the outermost scope,
// and returns when it has ended or answered is closed.
//
// When we return, middleware around us reads the request that it passed on, as
// tracing libraries do for the route. So the handler gets a copy of the request.
// Its changes are copied back, unless the handler was abandoned.
func (x *Exchange) serveDetached(next http.Handler, w http.ResponseWriter, r *http.Request) {
	d := x.detach()
	if d == nil {
		x.serveInPlace(next, w, r)
		return
	}
	own := r
	if r != &x.req {
		c := *r
		own = &c
	}
	ended := make(chan result, 1)
	go x.runDetached(d, ended, next, w, own)
	var res result
	select {
	case res = <-ended:
	case <-d.answered:
		if d.abandon() {
			if own != r {
				x.returnRoute(r)
			}
			return
		}
		res = <-ended
	}
	HandBack(own, r)
	if !res.in {
		x.earlyEnd().handlerReturned()
		x.reportLate(res)
		return
	}
	x.boundStream(res.endsBy)
	switch {
	case res.goexit:
		runtime.Goexit()
	case res.panicked == http.ErrAbortHandler: //nolint:errorlint // as net/http compares it
		panic(res.panicked)
	case res.panicked != nil:
		x.Notes.Panicked(res.panicked, res.stack) // a recovery would get the stack of this goroutine
		x.Logf("http: panic in the handler's own goroutine: %s\n%s", errtree.Printed(res.panicked), res.stack)
		panic(res.panicked)
	}
}

func (x *Exchange) runDetached(d *detached, ended chan<- result, next http.Handler, w http.ResponseWriter, r *http.Request) {
	res := result{goexit: true}
	defer func() {
		if v := recover(); v != nil {
			res = result{panicked: v, stack: debug.Stack()}
		}
		if e := x.earlyEnd(); e != nil {
			e.handlerReturned()
		}
		d.mu.Lock()
		d.ended = true
		alone, then := d.abandoned, d.onEnd
		d.mu.Unlock()
		if !alone {
			// Decided here, because the server's goroutine may not run at once.
			res.endsBy = x.endsBy()
			res.in = x.pop(outermostScope)
			ended <- res
			return
		}
		x.reportLate(res)
		x.removeTemporaryFiles(&x.req)
		x.removeTemporaryFiles(r)
		for _, f := range then {
			f()
		}
	}()
	next.ServeHTTP(w, r)
	res.goexit = false
}

// abandon marks the handler as abandoned if it is still running.
func (d *detached) abandon() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.abandoned = !d.ended
	return d.abandoned
}

// reportLate reports that a handler has returned after the end of its request. It
// reports to the observers or, if there are none, to the server's ErrorLog.
func (x *Exchange) reportLate(res result) {
	e := x.earlyEnd()
	<-e.done
	if res.panicked != nil || e.abandoned {
		x.notifyLate(res.panicked, res.stack)
	}
	if !x.observed() && res.panicked != nil && res.panicked != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		x.Logf("http: panic in a handler after its deadline: %s\n%s", errtree.Printed(res.panicked), res.stack)
	}
}
