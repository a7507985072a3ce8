package exchange

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
)

// detached is a handler on a goroutine of its own, which may outlive its
// request.
type detached struct {
	fired chan struct{} // closed when the deadline is enforced

	mu    sync.Mutex
	ended bool
	alone bool // it was left behind
	then  []func()
}

func (x *Exchange) detached() *detached { return x.rare().detached }

// Detached reports whether a handler was left behind and has not ended yet.
func (x *Exchange) Detached() bool {
	d := x.detached()
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alone && !d.ended
}

// WhenHandlerEnds calls f when no handler of this request runs any more: at
// once in the ordinary case, else on the goroutine of the handler that was
// left behind.
func (x *Exchange) WhenHandlerEnds(f func()) {
	if d := x.detached(); d != nil && d.later(f) {
		return
	}
	f()
}

func (d *detached) later(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.alone || d.ended {
		return false
	}
	d.then = append(d.then, f)
	return true
}

// ServeArmed runs the handler where it stands, between Arm and Disarm; last is
// for Disarm.
func (x *Exchange) ServeArmed(before *Term, last bool, next http.Handler, w http.ResponseWriter, r *http.Request) {
	if before.counts() { // an outer scope deals with what is late
		defer x.Disarm(before, last)
		next.ServeHTTP(w, r)
		return
	}
	defer func() {
		if x.Disarm(before, last) {
			return // a panic goes on untouched
		}
		res := result{panicked: recover()}
		if res.panicked != nil {
			res.stack = debug.Stack()
		}
		x.late(res)
		x.linger()
	}()
	next.ServeHTTP(w, r)
}

// late reports the end of a handler whose request had ended before: to the
// observers, without any to the server's ErrorLog.
func (x *Exchange) late(res result) {
	x.awaitExpiry()
	if res.panicked != nil || x.expiry.Load().abandoned {
		for _, o := range x.Observers() {
			o.Late(x, res.panicked, res.stack)
		}
	}
	if !x.observed.Load() && res.panicked != nil && res.panicked != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		x.Logf("http: panic in a handler after its deadline: %v\n%s", res.panicked, res.stack)
	}
}

// result is how a handler on a goroutine of its own ended.
type result struct {
	panicked any
	stack    []byte
	goexit   bool
}

// ServeDetached runs the handler on a goroutine of its own, between Arm and
// Disarm, and returns when it has ended or the deadline was enforced: an
// HTTP/2 stream ends only when the server's own goroutine returns.
func (x *Exchange) ServeDetached(before *Term, last bool, next http.Handler, w http.ResponseWriter, r *http.Request) {
	ended := make(chan result, 1)
	go x.serveApart(ended, next, w, r)
	var res result
	select {
	case res = <-ended:
	case <-x.detached().fired:
		if x.leaveAlone() {
			return
		}
		res = <-ended
	}
	if !x.Disarm(before, last) {
		x.late(res)
		return
	}
	switch {
	case res.goexit:
		runtime.Goexit()
	case res.panicked == http.ErrAbortHandler: //nolint:errorlint // as net/http compares it
		panic(res.panicked)
	case res.panicked != nil:
		x.Panicked(res.panicked, res.stack) // whoever recovers it sees the stack of this goroutine
		x.Logf("http: panic in the handler's own goroutine: %v\n%s", res.panicked, res.stack)
		panic(res.panicked)
	}
}

func (x *Exchange) serveApart(ended chan<- result, next http.Handler, w http.ResponseWriter, r *http.Request) {
	res := result{goexit: true}
	defer func() {
		if v := recover(); v != nil {
			res = result{panicked: v, stack: debug.Stack()}
		}
		if e := x.expiry.Load(); e != nil {
			e.handlerBack()
		}
		d := x.detached()
		d.mu.Lock()
		d.ended = true
		alone, then := d.alone, d.then
		d.mu.Unlock()
		if !alone {
			ended <- res
			return
		}
		x.late(res)
		x.removeTemporaryFiles()
		for _, f := range then {
			f()
		}
	}()
	next.ServeHTTP(w, r)
	res.goexit = false
}

// leaveAlone marks the handler as left behind, if it is still running.
func (x *Exchange) leaveAlone() bool {
	d := x.detached()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alone = !d.ended
	return d.alone
}
