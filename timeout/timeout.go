package timeout

import (
	"errors"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/internal/answer"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

// New returns middleware that enforces cfg.Limit. It panics if cfg is wrong, and
// names every bad field.
//
// # The response at the deadline
//
// The response has the headers that outer middleware set, but no header that the
// handler set. [Config.ErrorHandler] can write the response.
//
// Once a response has started, the handler must also return before the deadline, or
// the response is aborted. (On HTTP/1, a response whose full Content-Length has
// been sent is complete and stays so.) A handler that returns in time is never
// reported as a timeout, unless the client reads so slowly that the end of an HTTP/1
// response is not sent by the deadline. A late handler is never reported as a success.
//
// How a response is aborted depends on the protocol. On HTTP/1 the connection is
// closed early, or reset if only its end marks the end of the body (HTTP/1.0). On
// HTTP/2 the stream is reset. The outermost Bulwark middleware also panics with
// http.ErrAbortHandler. Even if middleware outside it recovers that panic, the
// response does not look complete. On HTTP/1, the connection of a stuck handler is
// hijacked and then closed. So the last state that a ConnState hook sees is
// StateHijacked, and Server.Shutdown does not wait for the handler.
//
// # Streams: SSE and WebSocket
//
// With [Config.Stream], Limit bounds only the time to the first byte. After that
// the response may take any time, as long as it is never idle for longer than
// Stream. It is idle while the handler writes nothing, or while the client reads
// nothing. For server-sent events, let the handler send comments as a heartbeat.
//
// A hijack and a 101 Switching Protocols response lift the deadline. The
// application must then bound the connection. No request header can lift the
// deadline.
//
// # HTTP/2
//
// On HTTP/1 the handler runs on net/http's goroutine, and the timer's goroutine
// writes the response at the deadline. On HTTP/2 a stream ends only when net/http's
// goroutine returns. So on HTTP/2 the handler runs on its own goroutine. If the
// handler is still running at the deadline, it is abandoned. The connection stays
// open: a response on HTTP/2 never has Connection: close, which would end all
// streams of the connection.
//
// This is safe only if nothing outside New reuses the state of a request when
// ServeHTTP returns. Routers that pool their contexts do reuse it: an abandoned
// handler would read the next request's state. New therefore uses a goroutine only
// if nothing but Bulwark's middleware is between New and net/http's server, or if
// [Config.Detach] is set. Otherwise the handler runs on net/http's goroutine. If
// the handler then does not return within 5 ms after the deadline, the complete
// response is followed by a reset of the stream, which some clients report as an
// error. To avoid this, make Bulwark's middleware the server's Handler.
//
// If the handler runs on its own goroutine and panics, the panic continues on
// net/http's goroutine with the same value. The handler's stack would be lost
// there, so it is written to the server's ErrorLog. A panic after the deadline is
// too late for a response. Package logging records it; without that package it is
// written to the server's ErrorLog.
//
// # Gin and Echo
//
// Wrap the whole engine: http.Server{Handler: mw(engine)}. This needs no adapter,
// and it is safe on HTTP/2: the engine reuses its context only after the handler
// has returned. To use New on a route or a group, use bulwarkgin.Wrap or
// bulwarkecho.Wrap. [Override] works on a route of an engine that is wrapped as a
// whole.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.validate(); err != nil {
		panic("timeout: " + err.Error())
	}
	alarms := &exchange.Alarms{}
	return func(next http.Handler) http.Handler {
		h := &handler{Config: cfg, next: next}
		h.rules = exchange.Rules{
			Responder: h, Stream: cfg.Stream, Max: cfg.Max, Cooperative: cfg.Cooperative, Detach: cfg.Detach,
			Alarms: alarms, Router: exchange.RouterOf(next),
		}
		h.standard = exchange.Deadline{Rules: &h.rules, At: cfg.Limit}
		return h
	}
}

type handler struct {
	Config
	next     http.Handler
	rules    exchange.Rules
	standard exchange.Deadline // for a request without a budget, if this is the outermost middleware
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { exchange.Serve(w, r, h) }

// ExchangeRouter lets a deadline outside find the route.
func (h *handler) ExchangeRouter() exchange.Router { return h.rules.Router }

// ExchangeNext lets a deadline inside find out which middleware is around it.
func (h *handler) ExchangeNext() http.Handler { return h.next }

// ServeExchange implements exchange.Handler.
func (h *handler) ServeExchange(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
	d, err := h.deadline(x, r)
	if err != nil {
		x.Notes.Refuse(err)
		answer.Refuse(x, w, r, err, h.ErrorHandler, func(w http.ResponseWriter) { h.Default(w, err) })
		return
	}
	if h.ErrorHandler != nil {
		x.KeepNegotiationHeaders(r.Header)
	}
	x.ServeUntil(d, h.next, w, r)
}

// If the exchange is younger than sameArrival, the deadline counts from the start
// of the exchange. Timers are no more precise than this.
const sameArrival = 100 * time.Microsecond

// deadline returns the deadline of this request, or why the request is refused.
func (h *handler) deadline(x *exchange.Exchange, r *http.Request) (*exchange.Deadline, *Error) {
	var began time.Duration
	if x.Outermost() != h {
		if began = x.Now(); began < sameArrival {
			began = 0
		}
	}
	trusted := h.TrustCaller != nil && h.TrustCaller(r)
	if began == 0 && !trusted {
		return &h.standard, nil
	}
	d, limit := h.standard, h.Limit
	if trusted {
		budget, ok, err := callerBudget(r.Header)
		if err != nil {
			x.Notes.Warn(err)
		}
		switch {
		case !ok:
		case budget <= 0 || budget < h.MinBudget:
			return nil, &Error{Limit: budget, Phase: PhaseBudget, Caller: true}
		default:
			d.Budget, limit = budget, min(budget, max(limit, h.MaxCaller))
		}
	}
	d.Began, d.At = began, sum(began, limit)
	return &d, nil
}

// Cause implements exchange.Responder.
func (h *handler) Cause(d *exchange.Deadline, elapsed time.Duration, p exchange.Phase) error {
	if p == exchange.PhaseResponse && d.Stream > 0 { // it was idle for too long
		return &Error{Limit: d.Stream, Elapsed: elapsed, Phase: PhaseResponse}
	}
	limit := d.At - d.Began
	return &Error{Limit: limit, Elapsed: elapsed, Phase: Phase(p), Caller: d.Budget > 0 && d.Budget == limit}
}

// Answer implements exchange.Responder.
func (h *handler) Answer(w http.ResponseWriter, r *http.Request, err error) {
	if h.ErrorHandler != nil {
		h.ErrorHandler(w, r, err)
	}
}

// Default implements exchange.Responder.
func (h *handler) Default(w http.ResponseWriter, err error) {
	status := http.StatusGatewayTimeout
	if e, ok := errors.AsType[*Error](err); ok {
		status = e.StatusCode()
	}
	http.Error(w, http.StatusText(status), status)
}
