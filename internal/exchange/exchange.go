package exchange

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/internal/reqctx"
	"github.com/bulwark-go/bulwark/internal/respwriter"
)

// Exchange is the state of one request in the stack. It is also the request's
// context. Its methods are safe for concurrent use unless they say otherwise. See
// Body, Response and Notes for the other groups of methods.
type Exchange struct {
	ctx      reqctx.Context
	state    stateWord
	returned bool // the owner's Serve has returned without a panic or Goexit
	around
	controlOff bool // calls of a ResponseController are refused; guarded by control
	response
	body
	deadlines
	observing
	extrasPointer
	watch *Watch // of package inspect, if Watched

	// Notes is what the packages record about the request.
	Notes Notes

	mu       sync.Mutex // see doc.go
	start    time.Time
	req      http.Request // the clone that inner handlers see
	original *http.Request
	handler  Handler // of the outermost middleware
}

// Handler is a middleware that runs within an exchange. Its dynamic type is a
// pointer.
type Handler interface {
	ServeExchange(x *Exchange, w http.ResponseWriter, r *http.Request)
}

// Func returns a middleware around next that calls f within an exchange; next may
// be nil.
func Func(next http.Handler, f func(*Exchange, http.ResponseWriter, *http.Request)) http.Handler {
	return &funcHandler{next, f}
}

type funcHandler struct {
	next http.Handler
	f    func(*Exchange, http.ResponseWriter, *http.Request)
}

func (h *funcHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) { Serve(w, r, h) }

func (h *funcHandler) ServeExchange(x *Exchange, w http.ResponseWriter, r *http.Request) {
	h.f(x, w, r)
}

func (h *funcHandler) ExchangeRouter() Router { return RouterOf(h.next) }

func (h *funcHandler) ExchangeNext() http.Handler { return h.next }

// Response is the exchange with the methods of its response.
type Response Exchange

// Response returns the response of the request.
func (x *Exchange) Response() *Response { return (*Response)(x) }

// Body is the exchange with the methods of the request's body.
type Body Exchange

// Body returns the body of the request.
func (x *Exchange) Body() *Body { return (*Body)(x) }

// serving reports whether a request with this exchange in its context belongs to
// the exchange. It does unless the exchange has ended or its connection was
// hijacked. The request of an abandoned handler still belongs to it.
func (x *Exchange) serving() bool {
	s := x.state.load()
	return s != upgraded && s != returned
}

// Owns reports whether w is the exchange's writer or wraps it.
func (r *Response) Owns(w http.ResponseWriter) bool {
	x := (*Exchange)(r)
	own, ok := respwriter.Find[*responseWriter](w)
	return ok && (*Exchange)(own) == x
}

// IsWriter reports whether w is the exchange's own writer.
func (r *Response) IsWriter(w http.ResponseWriter) bool {
	x := (*Exchange)(r)
	own, ok := respwriter.Is[*responseWriter](w)
	return ok && (*Exchange)(own) == x
}

// Writer returns the exchange's own writer.
func (r *Response) Writer() http.ResponseWriter {
	x := (*Exchange)(r)
	return respwriter.Wrap(x.inner, (*responseWriter)(x))
}

// Outermost returns the outermost middleware.
func (x *Exchange) Outermost() Handler { return x.handler }

// Start returns the time when the outermost middleware got the request.
func (x *Exchange) Start() time.Time { return x.start }

// Now returns the time since the start of the exchange.
func (x *Exchange) Now() time.Duration { return time.Since(x.start) }

// Parent returns the context that the request had before the exchange.
func (x *Exchange) Parent() context.Context { return x.ctx.Parent() }

// Request returns the clone of the request that the exchange made. Middleware that
// gets this clone may set its fields before the handler runs, and need not clone it
// again.
func (x *Exchange) Request() *http.Request { return &x.req }

// Original returns the request as the outermost middleware got it. Its maps, its
// URL and its body are shared with the handler's clone, so they belong to the
// handler while it runs. The other fields do not change.
func (x *Exchange) Original() *http.Request { return x.original }

func (x *Exchange) http2() bool { return x.original.ProtoMajor >= 2 }

// leave ends the exchange. A panic continues with its value and its stack. If the
// response was aborted, leave panics with http.ErrAbortHandler, so that the server
// does not end the response cleanly.
func (x *Exchange) leave() {
	v := recover()
	goexit := v == nil && !x.returned
	nilPanic := goexit && !Exiting()
	if nilPanic {
		x.Response().Abort()
	}
	if x.Detached() {
		x.returnRoute(x.original)
	} else {
		x.returnRequest()
	}
	if x.Parent().Err() != nil && !x.serverFinished() {
		x.ClientGone() // records whether the client has left, because that cannot be detected later
	}
	ends := x.handBack()
	e := x.earlyEnd()
	if e != nil {
		x.awaitEnd(e)
	}
	cut := x.wasCut() || e != nil && e.stuck // a stuck write may have ended since
	switch {
	case e == nil:
		if v != nil || ends {
			x.end(v)
		}
	case e.gone && !x.reportsItself():
		x.reportLateAfterGone(v)
	}
	if w := x.watched(); w != nil && !x.scoped {
		w.Left(x, w)
	}
	x.removeDeadlines()
	x.ctx.Over()
	switch {
	case v != nil:
		panic(v)
	case (cut || nilPanic) && x.recoverable():
		panic(http.ErrAbortHandler)
	}
}

// awaitEnd waits until the response is not used any more. Middleware between the
// exchange and its deadline may return meanwhile, as http.TimeoutHandler does when its
// context ends, but the server must not finish the request yet.
func (x *Exchange) awaitEnd(e *earlyEnd) {
	if det := x.detached.Load(); det != nil && !e.gone {
		<-det.answered
		return
	}
	<-e.done
	if e.abandon != nil {
		e.abandon.Stop() // it keeps the exchange in memory
	}
}

// handBack ends the handler's use of the response. It reports whether the request
// ends now. With a counted connection, the request ends later.
func (x *Exchange) handBack() (ends bool) {
	x.wmu.Lock()
	defer x.wmu.Unlock()
	if s := x.state.load(); s != late && s != gone {
		if s == open && !x.state.has(finished) {
			x.finishResponse()
		}
		x.state.moveTo(returned)
	}
	x.refuseControl()
	t := x.extras().connection
	return t == nil || t.ended(handlerEnded)
}

// finishResponse prepares the response for the server.
func (x *Exchange) finishResponse() {
	defer x.recoverFinished()
	x.shareHeaders()
	x.closeBeforeReturn()
	x.checkWriteTimeout()
	if x.followed() && !x.committed.Load() { // the server sends the head with this length
		x.declared = declaredLength(x.inner.Header())
	}
}

// closeBeforeReturn does what CloseAfterReply has requested, before the server
// sends an implicit head or ends the response.
func (x *Exchange) closeBeforeReturn() {
	if x.committed.Load() {
		x.closeAfterHead()
	} else {
		x.closeBeforeHead()
	}
}

// wasCut reports whether the response was cut off.
func (x *Exchange) wasCut() bool {
	x.wmu.Lock()
	defer x.wmu.Unlock()
	return x.cut
}

// recoverable reports whether the server recovers http.ErrAbortHandler.
// net/http/fcgi does not recover it, so the process would end. HTTP/3 servers of
// other packages recover it. Their requests have a local address in the context,
// but a request that reached fcgi over HTTP/3 has none.
func (x *Exchange) recoverable() bool {
	return x.server() != nil ||
		x.original.ProtoMajor == 3 && x.Parent().Value(http.LocalAddrContextKey) != nil
}

func (x *Exchange) server() *http.Server {
	srv, _ := x.Parent().Value(http.ServerContextKey).(*http.Server)
	return srv
}
