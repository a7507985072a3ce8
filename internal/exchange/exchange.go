// Package exchange is the one per-request state that the four packages of
// Bulwark share: the request's context, its only ResponseWriter wrapper, its
// body, and the observed ending.
//
// The outermost Bulwark middleware makes the exchange with [Enter] and owns
// it; inner ones find the same one through the request's context. A request
// travels inward through Enter (one allocation holds the exchange and the
// clone of the request), meets the policies of the packages, and reaches the
// handler, whose every write comes back through the exchange. Whatever ends the
// request (the handler's return, its panic, the deadline, a client that leaves)
// ends it in [Exchange.end], which tells the observers exactly once. That is why
// the order of the packages cannot make a log line lie.
//
// # Two locks and a gate
//
// life.mu guards the context and the deadline and is held for a few
// instructions only. Exchange.wmu is held by whoever is writing, for as long
// as the client takes to read, so nothing that must be punctual waits for it:
// the deadline closes the gate first, which lets no new write start and tells
// whether one is under way that has to be broken (see breakIn). control guards
// the calls of a ResponseController, which have to work while a write hangs.
package exchange

import (
	"context"
	"math"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"
)

// Exchange is one request on its way through the stack. It is the request's
// context. The methods are safe for concurrent use unless they say otherwise.
type Exchange struct {
	life
	writing
	notes
	reading

	start    time.Time
	req      http.Request // the clone that inner handlers see
	original *http.Request
	watchers

	left     atomic.Bool // the owner has returned; whoever still holds the exchange is late
	returned bool        // the owner's next.ServeHTTP returned (no panic, no Goexit)
	lifted   bool        // a hijack or a 101 has ended all deadlines; guarded by life.mu
	seldom   atomic.Pointer[seldom]
}

type exchangeKey struct{}

// From returns the exchange that ctx descends from, nil where there is none.
func From(ctx context.Context) *Exchange {
	if x, ok := ctx.(*Exchange); ok {
		return x
	}
	x, _ := ctx.Value(exchangeKey{}).(*Exchange)
	return x
}

// Enter returns the exchange of the request with the writer and the request to
// hand inward. owner tells that this call made it: the caller then defers
// [Exchange.Leave] and calls [Exchange.Returned] when next.ServeHTTP did.
//
// The exchange found through the context is only taken where w leads to its
// writer through Unwrap; a recorder or a buffering middleware in between means
// that what is written to w is not what goes over this exchange's wire, and
// gets an exchange of its own.
func Enter(w http.ResponseWriter, r *http.Request) (x *Exchange, iw http.ResponseWriter, ir *http.Request, owner bool) {
	if x = From(r.Context()); x != nil && x.Owns(w) {
		x.SawRoute(r.Pattern)
		return x, w, r, false
	}
	x = &Exchange{start: time.Now(), original: r}
	x.inner.w = w
	x.req = *r.WithContext(x)
	if r.Body != nil && r.Body != http.NoBody {
		x.req.Body = (*body)(x)
	} else {
		x.drained.Store(true)
	}
	return x, shape(x, w), &x.req, true
}

// Owns reports whether w is the exchange's writer or wraps it.
func (x *Exchange) Owns(w http.ResponseWriter) bool {
	for range maxUnwrap {
		if c, ok := w.(interface{ exchange() *Exchange }); ok {
			return c.exchange() == x && !x.left.Load()
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
	return false
}

// maxUnwrap bounds the walk through wrapped writers: one that unwraps to
// itself must not hang a request.
const maxUnwrap = 64

// Writer is the exchange's own writer.
func (x *Exchange) Writer() http.ResponseWriter { return shape(x, x.inner.w) }

// Start is when the outermost middleware saw the request.
func (x *Exchange) Start() time.Time { return x.start }

// Parent is the context that the request came with.
func (x *Exchange) Parent() context.Context { return x.original.Context() }

// Returned records that the owner's handler returned; without it, and without
// a panic, [Exchange.Leave] knows that runtime.Goexit was called.
func (x *Exchange) Returned() { x.returned = true }

// Leave ends the exchange; its owner defers it. A panic goes on with its value
// and its stack. A response that was cut ends with http.ErrAbortHandler, so
// that the server does not end it cleanly.
func (x *Exchange) Leave() {
	v := recover()
	if !x.Detached() {
		x.returnRequest()
	}
	takenOver, cut := x.handBack()
	switch {
	case x.departed():
		cut = true
		x.lateAfterDeparture(v)
	case !x.Expired() && (v != nil || !takenOver): // else it is told of where it ended
		x.end(v)
	}
	x.left.Store(true)
	x.finish(finished)
	switch {
	case v != nil:
		panic(v)
	case cut, !x.returned && !exiting():
		panic(http.ErrAbortHandler)
	}
}

// handBack ends the handler's time with the response and looks at it once
// more: the server flushes after us and tells nobody how that went. It reports
// whether the request goes on with a hijacked connection, and whether the
// response was cut.
func (x *Exchange) handBack() (takenOver, cut bool) {
	x.wmu.Lock()
	defer x.wmu.Unlock()
	if x.gate.Or(gateClosed) == gateOpen {
		x.unify()
		switch {
		case x.hijacked || !x.returned:
		case x.pastWriteTimeout():
			x.implicit()
			if err := x.flush(); err != nil {
				x.rarely().writeErr, x.timedOut = err, true
			}
		case !x.committed.Load() && x.ClientGone():
			x.cut = true // the implicit 200 would go to nobody, or to a client that gave up
		}
		x.sealed = sealedOver
	}
	x.controlsOff()
	t := x.rare().traffic
	return t != nil && !t.end(handlerOver), x.cut
}

// pastWriteTimeout reports whether the server's WriteTimeout has passed, or is
// about to. It began to count when the request's head was read, a moment
// before us. A write deadline of the handler's own takes its place.
func (x *Exchange) pastWriteTimeout() bool {
	const moment = 10 * time.Millisecond
	if !x.observed.Load() {
		return false
	}
	if by := x.rare().writeBy.Load(); by != 0 {
		return x.Now() >= time.Duration(by)
	}
	srv, ok := x.Parent().Value(http.ServerContextKey).(*http.Server)
	return ok && srv.WriteTimeout > 0 && time.Since(x.start) > srv.WriteTimeout-moment
}

// keepWriteDeadline remembers a write deadline of the handler's own; the zero time
// lifts it.
func (x *Exchange) keepWriteDeadline(t time.Time) {
	by := time.Duration(math.MaxInt64)
	if !t.IsZero() {
		by = max(1, t.Sub(x.start))
	}
	x.rarely().writeBy.Store(int64(by))
}

// exiting tells runtime.Goexit from a panic(nil) of GODEBUG=panicnil=1, which
// recover has just swallowed. To be called where a deferred function found
// neither a return nor a panic.
func exiting() bool {
	var pc [64]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc[:])])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); f.Function == "runtime.Goexit" {
			return true
		}
	}
	return false
}

// returnRequest gives back what the clone has hidden from those further out:
// from the server the form that was parsed, from tracing libraries the route.
func (x *Exchange) returnRequest() {
	x.removeTemporaryFiles()
	if p := x.req.Pattern; p != "" {
		x.original.Pattern = p
	}
}

// removeTemporaryFiles does for the clone what the server does for the request
// it made.
func (x *Exchange) removeTemporaryFiles() {
	if f := x.req.MultipartForm; f != nil && x.original.MultipartForm != f {
		_ = f.RemoveAll() // as net/http: nobody is left to tell
	}
}
