package timeout

import (
	"errors"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// New returns the middleware. It panics if cfg is wrong, with every bad field
// named.
//
// # The answer
//
// An answer carries the headers that outer middleware set and none of those the
// handler had prepared. [Config.ErrorHandler] writes another; one that writes
// nothing gets the default, a line of plain text.
//
// A broken transfer is an early end of the connection on HTTP/1, a reset of it
// where only its end ends the body (HTTP/1.0), and RST_STREAM on HTTP/2; a
// recovery outside that swallows the panic (http.ErrAbortHandler) by which
// net/http is told cannot make it whole. (On HTTP/1 it takes a hijack to close a
// connection whose handler is stuck, so a ConnState hook sees StateHijacked
// last, and Server.Shutdown waits for it no more.) A response of which the last
// byte had already gone out on HTTP/1, as its Content-Length says, is complete,
// and nobody can take that back. So between in time and too late there is a
// third outcome: a handler whose response has begun has until the deadline to
// return as well. A handler that is in time is never turned into a timeout, and
// one that is late never into a success.
//
// # Streams: SSE and WebSocket
//
// With [Config.Stream], Limit bounds the time to the first byte only. From then
// on a response may last for as long as it likes, if it is never silent for
// longer than Stream: neither because the handler writes nothing (so send SSE
// comments as a heartbeat), nor because the client takes nothing.
//
// A hijack and a 101 Switching Protocols lift the deadline: the connection is
// then the application's to bound. No header of a request does, whatever it
// asks for.
//
// # HTTP/2
//
// On HTTP/1 the handler runs on the goroutine where net/http put it, and the
// timer's goroutine writes the answer beside it. On HTTP/2 a stream ends only
// when the handler's goroutine returns; so there the handler is given a
// goroutine of its own, and is left behind at the deadline. The connection lives
// on: an answer on HTTP/2 never says Connection: close, which would end every
// stream of it.
//
// That goroutine is started only where this package is provably the first to
// touch the request, with nothing but Bulwark between it and net/http's server.
// A router that pools its contexts takes one back when ServeHTTP returns: a
// handler left behind would read the next request's. Everywhere else the handler
// runs in place, and the end of the answer is a reset of the stream instead of
// its proper end. Clients have the whole answer by then; some report the reset
// all the same. So let the middleware stand outermost, or behind package logging.
//
// A panic keeps its value on its way through. From the goroutine of HTTP/2 its
// stack goes to the server's ErrorLog, since it would be lost otherwise. One
// after the deadline has nobody left to recover it: it goes to the log line of
// package logging, without that to the ErrorLog.
//
// # Gin and Echo
//
// Wrap the whole engine: http.Server{Handler: mw(engine)}. It needs no adapter,
// and the engine takes its context back when the handler has really returned. On
// a route or a group use bulwarkgin.Wrap and bulwarkecho.Wrap. [Override] works
// on a route inside an engine that is wrapped as a whole, and does not need New
// there: it speaks to the deadline of the request.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.validate(); err != nil {
		panic("timeout: " + err.Error())
	}
	alarms := &exchange.Alarms{}
	return func(next http.Handler) http.Handler {
		h := &handler{Config: cfg, next: next}
		h.rules = exchange.Rules{Policy: h, Stream: cfg.Stream, Max: cfg.Max, Cooperative: cfg.Cooperative, Alarms: alarms}
		h.usual = exchange.Term{Rules: &h.rules, At: cfg.Limit}
		return h
	}
}

type handler struct {
	Config
	next  http.Handler
	rules exchange.Rules
	usual exchange.Term // of a request that came just now and whose caller gives no budget
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x, w, r, owner := exchange.Enter(w, r)
	if owner {
		defer x.Leave()
	}
	h.serve(x, w, r, owner)
	if owner {
		x.Returned()
	}
}

func (h *handler) serve(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, owner bool) {
	term, err := h.term(x, r, owner)
	if err != nil {
		x.Refuse(err)
		h.refuse(w, r, err)
		return
	}
	if h.ErrorHandler != nil {
		x.KeepForAnswer(r.Header)
	}
	if !h.Cooperative && x.Detachable(w, r) && !x.Armed() {
		x.ServeDetached(x.Arm(term, true), owner, h.next, w, r)
		return
	}
	before := x.Arm(term, false)
	if before != nil && before.Rules != nil { // an Override outside may say otherwise
		if at, ok := r.Context().Deadline(); !ok || x.Start().Add(term.At).Before(at) {
			r = r.WithContext(x.Moved(r.Context(), term))
		}
	}
	x.ServeArmed(before, owner, h.next, w, r)
}

// justNow is how long before us a middleware outside may have seen the request
// for the two to count as one arrival. No timer is more exact.
const justNow = 100 * time.Microsecond

// term is the deadline of this request, or why it is refused.
func (h *handler) term(x *exchange.Exchange, r *http.Request, owner bool) (*exchange.Term, *Error) {
	var began time.Duration // the exchange begins with its owner
	if !owner {
		if began = x.Now(); began < justNow {
			began = 0
		}
	}
	trusted := h.TrustCaller != nil && h.TrustCaller(r)
	if began == 0 && !trusted {
		return &h.usual, nil
	}
	t, limit := h.usual, h.Limit
	if trusted {
		budget, ok, err := callerBudget(r.Header)
		if err != nil {
			x.Remark(err)
		}
		switch {
		case !ok:
		case budget <= 0 || budget < h.MinBudget:
			return nil, &Error{Limit: budget, Phase: PhaseBudget, Caller: true}
		case h.Max > 0:
			t.Budget, limit = budget, min(budget, h.Max)
		default:
			t.Budget, limit = budget, min(budget, limit)
		}
	}
	t.Began, t.At = began, began+limit
	return &t, nil
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err *Error) {
	if h.ErrorHandler != nil {
		h.ErrorHandler(w, r, err)
		return
	}
	h.Default(w, err)
}

// Cause implements exchange.Policy.
func (h *handler) Cause(t *exchange.Term, elapsed time.Duration, p exchange.Phase) error {
	if p == exchange.PhaseResponse && t.Stream > 0 { // the silence was too long
		return &Error{Limit: t.Stream, Elapsed: elapsed, Phase: PhaseResponse}
	}
	limit := t.At - t.Began
	return &Error{Limit: limit, Elapsed: elapsed, Phase: Phase(p), Caller: t.Budget > 0 && t.Budget == limit}
}

// Answer implements exchange.Policy.
func (h *handler) Answer(w http.ResponseWriter, r *http.Request, err error) {
	if h.ErrorHandler != nil {
		h.ErrorHandler(w, r, err)
	}
}

// Default implements exchange.Policy.
func (h *handler) Default(w http.ResponseWriter, err error) {
	status := http.StatusGatewayTimeout
	if e, ok := errors.AsType[*Error](err); ok {
		status = e.StatusCode()
	}
	http.Error(w, http.StatusText(status), status)
}
