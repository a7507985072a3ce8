package exchange

import (
	"context"
	"net/http"
	"time"
)

type exchangeKey struct{}

// From returns the exchange that ctx descends from, or nil.
func From(ctx context.Context) *Exchange {
	if x, ok := ctx.(*Exchange); ok {
		return x
	}
	x, _ := ctx.Value(exchangeKey{}).(*Exchange)
	return x
}

// Serve runs h within the exchange of the request: the one that an outer
// middleware has made, or a new one, which this call then owns.
//
// An exchange that has ended, or whose connection was hijacked, is ignored. A
// request with such an exchange in its context is a new request.
func Serve(w http.ResponseWriter, r *http.Request, h Handler) {
	if x := Of(r); x != nil { // nearly always so for inner middleware
		h.ServeExchange(x, w, r)
		return
	}
	serve(w, r, h)
}

// serve is Serve for all requests. It is separate, because its variables would take
// space in Serve's stack frame.
func serve(w http.ResponseWriter, r *http.Request, h Handler) {
	x, labeled := find(r.Context())
	switch {
	case x == nil || !x.serving():
		begin(w, r, h, around{x != nil, labeled})
	default:
		x.join(w, r, h)
	}
}

// Outer returns the exchange around this one, or nil.
func (x *Exchange) Outer() *Exchange {
	if !x.nested {
		return nil
	}
	return From(x.Parent())
}

// Of returns the exchange of a request that another Bulwark middleware has passed
// on unchanged. If it returns nil, call Serve.
func Of(r *http.Request) *Exchange {
	if x, ok := r.Context().(*Exchange); ok && r == &x.req && r.Pattern == "" && x.serving() {
		return x
	}
	return nil
}

// join runs h with a copy of the exchange's request, or with a request whose route
// is known. It is separate from Serve because a defer statement slows down a
// function even if the statement is not executed.
func (x *Exchange) join(w http.ResponseWriter, r *http.Request, h Handler) {
	if !x.isPart(w, r) {
		x.SetRoute(r.Pattern)
		if r != &x.req {
			defer x.takeBack(r, x.detached.Load() == nil)
		}
	}
	h.ServeExchange(x, w, r)
}

// around says what the request's context contained before the exchange was made.
type around struct {
	nested  bool // another exchange
	labeled bool // profiler labels
}

// begin runs h within a new exchange.
func begin(w http.ResponseWriter, r *http.Request, h Handler, a around) {
	x := newExchange(w, r, h)
	x.around = a
	defer x.leave()
	h.ServeExchange(x, x.Response().Writer(), &x.req)
	x.returned = true
}

// newExchange makes the exchange of a request. It is not inlined, to keep 300
// bytes for the copy of the request out of Serve's stack frame, which every
// middleware has below its handler.
//
//go:noinline
func newExchange(w http.ResponseWriter, r *http.Request, h Handler) *Exchange {
	x := &Exchange{start: time.Now(), original: r, handler: h}
	x.ctx.Init(r.Context(), (*parentWatch)(x))
	x.inner, x.declared = w, -1
	if x.Parent().Err() != nil {
		x.state.set(bornEnded)
	}
	x.req = *r.WithContext(x)
	x.wrapBody()
	return x
}
