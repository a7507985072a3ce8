package logging

import (
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// New returns the middleware. Put it outermost: a request rejected before it
// reaches New is not logged. If New is used twice, the inner one does nothing, so a
// request has only one log record. New panics if cfg is invalid. The message names
// every bad field.
//
// A panic of the handler is logged and continues with its value and its stack. If
// middleware inside New recovers the panic, New only logs the response of that
// middleware.
//
// The log record is written when the request has ended for the client. That can be
// before the handler returns: at the deadline of package timeout, or when the
// client is known to have left. The record then has "abandoned":true. When the
// handler returns, a second record with the message "http handler ended late" is
// written. It has the same request_id, and the panic if there was one. A stream is
// logged when it ends. A hijacked connection belongs to the handler: the record is
// written when the handler returns, without byte counts, unless
// [Config.CountUpgraded] is set.
//
// New knows that the client has left if a write fails. On HTTP/2 it also knows when
// the stream is closed, but only if Done or Err of the context has been called. The
// handler then has 100 ms to return before it counts as abandoned. On HTTP/1 the
// end of the client's data proves nothing: the client may have closed its sending
// side and still be reading. In that case the request is logged at the next write,
// at the handler's return or at the deadline, whichever is first. If a client
// receives all of a response that is not flushed and closes before the handler
// returns, the outcome is also client_gone, because the server cannot distinguish
// this from a client that left early.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.validate(); err != nil {
		panic("logging: " + err.Error())
	}
	s := cfg.withDefaults()
	return func(next http.Handler) http.Handler { return &handler{s, next} }
}

type handler struct {
	*settings
	next http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	exchange.Serve(w, r, h)
}

// ServeExchange implements exchange.Handler.
func (h *handler) ServeExchange(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
	if h.logged(x) {
		h.next.ServeHTTP(w, r)
		return
	}
	l := &requestLog{settings: h.settings, x: x}
	l.capture(r)
	l.begin()
	if h.OnReturn != nil {
		defer l.returned(r)
	}
	if h.CountUpgraded {
		x.CountUpgraded()
	}
	x.Response().SetIDHeader(w, &l.idHeader, l.idValues[:1:1])
	passed := r
	if l.more != nil && l.more.upstream != "" {
		passed = l.replaceID(x, r)
		defer exchange.HandBack(passed, r)
	}
	h.next.ServeHTTP(w, passed)
}

// logged reports whether an outer New logs the request. If the context belongs to a
// request that has ended, the request is a new one.
func (h *handler) logged(x *exchange.Exchange) bool {
	first := len(x.Observers()) == 0 && (x.Outer() == nil || x.Outermost() == h)
	return !first && fromContext(x) != nil
}

// replaceID hides an invalid request id from the handler, because a proxy would
// pass it on.
func (l *requestLog) replaceID(x *exchange.Exchange, r *http.Request) *http.Request {
	if r != x.Request() {
		r = r.WithContext(r.Context())
	}
	r.Header = r.Header.Clone()
	r.Header[l.RequestIDHeader] = []string{l.idHeader.Value}
	return r
}

// ExchangeRouter lets an outer deadline find the route.
func (h *handler) ExchangeRouter() exchange.Router { return exchange.RouterOf(h.next) }

// ExchangeNext lets an inner deadline find out which middleware is around it.
func (h *handler) ExchangeNext() http.Handler { return h.next }
