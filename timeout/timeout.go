package timeout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Config configures [New]. Limit is required; the zero value of every other
// field is the documented default.
type Config struct {
	// Limit bounds a request from the moment the middleware sees it until its
	// response is complete. Required.
	Limit time.Duration

	// Max is the ceiling for Override, for Extend and for a caller's budget, all
	// counted from the start of the request; asking for more, or for no limit,
	// gives Max. Default 0: no ceiling, and a caller can only shorten.
	Max time.Duration

	// Stream is the longest silence once the response has started, instead of
	// Limit, which then bounds the time to the first byte. For SSE and
	// downloads. Default 0: Limit bounds the whole response.
	Stream time.Duration

	// MinBudget is the least that a caller's budget must be; a request with less
	// is refused with 504 at once and the handler not run. Default 0: only a
	// budget that is spent is refused.
	MinBudget time.Duration

	// TrustCaller tells whose deadline headers count: grpc-timeout,
	// X-Envoy-Expected-Rq-Timeout-Ms and X-Request-Timeout-Ms. Default nil:
	// nobody's.
	TrustCaller func(*http.Request) bool

	// Cooperative only cancels the context at the deadline and never answers for
	// the handler. Default false: the deadline is enforced.
	Cooperative bool

	// ErrorHandler answers with the *Error instead of the default: status and a
	// short plain-text body. It is called from another goroutine while the
	// handler may be running; its request is a snapshot that carries the
	// context, the request line, Host, RemoteAddr, TLS, and of the headers only
	// Accept and Accept-Language. What it writes is sent with its length, and
	// where it writes nothing the default answer is. (*errmap.Mapper).Write fits.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// New returns the middleware. It panics if cfg is wrong, with every bad field
// named.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.validate(); err != nil {
		panic("timeout: " + err.Error())
	}
	return func(next http.Handler) http.Handler {
		h := &handler{Config: cfg, next: next}
		h.rules = exchange.Rules{Policy: h, Stream: cfg.Stream, Max: cfg.Max, Cooperative: cfg.Cooperative}
		return h
	}
}

func (c Config) validate() error {
	var errs []error
	if c.Limit <= 0 {
		errs = append(errs, errors.New("Limit must be positive"))
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"Max", c.Max}, {"Stream", c.Stream}, {"MinBudget", c.MinBudget}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", f.name))
		}
	}
	if c.Max > 0 && c.Max < c.Limit {
		errs = append(errs, errors.New("Max must not be less than Limit"))
	}
	return joined(errs)
}

type handler struct {
	Config
	next  http.Handler
	rules exchange.Rules
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
	var began time.Duration // the exchange begins with its owner
	if !owner {
		began = x.Now()
	}
	term, err := h.term(x, r, began)
	if err != nil {
		x.Refuse(err)
		h.refuse(w, r, err)
		return
	}
	if h.ErrorHandler != nil {
		x.KeepForAnswer(r.Header)
	}
	if !h.Cooperative && x.Detachable(w, r) && !x.Armed() {
		x.ServeDetached(x.Arm(term, true), h.next, w, r)
		return
	}
	before := x.Arm(term, false)
	if before.Rules != nil { // an Override outside may say otherwise
		if at, ok := r.Context().Deadline(); !ok || x.Start().Add(term.At).Before(at) {
			r = r.WithContext(x.Moved(r.Context(), term))
		}
	}
	x.ServeArmed(before, h.next, w, r)
}

// term is the deadline of this request, or why it is refused.
func (h *handler) term(x *exchange.Exchange, r *http.Request, began time.Duration) (exchange.Term, *Error) {
	t := exchange.Term{Rules: &h.rules, Began: began, Last: began == 0}
	limit := h.Limit
	if h.TrustCaller != nil && h.TrustCaller(r) {
		budget, ok, err := callerBudget(r.Header)
		if err != nil {
			x.Remark(err)
		}
		switch {
		case !ok:
		case budget <= 0 || budget < h.MinBudget:
			return t, &Error{Limit: budget, Phase: PhaseBudget, Caller: true}
		case h.Max > 0:
			t.Budget, limit = budget, min(budget, h.Max)
		default:
			t.Budget, limit = budget, min(budget, limit)
		}
	}
	t.At = began + limit
	return t, nil
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err *Error) {
	if h.ErrorHandler != nil {
		h.ErrorHandler(w, r, err)
		return
	}
	h.Default(w, err)
}

// Cause implements exchange.Policy.
func (h *handler) Cause(t exchange.Term, elapsed time.Duration, p exchange.Phase) error {
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

// Override returns middleware that gives a route its own limit, shorter or
// longer than that of the New around it and counted from the same moment; 0
// means none. Max of the New bounds it, and a caller's budget still shortens
// it. It speaks to the deadline of the request wherever in the chain that was
// set, also outside of Gin or Echo, and does nothing where there is none. It
// panics for a negative limit.
func Override(limit time.Duration) func(http.Handler) http.Handler {
	if limit < 0 {
		panic("timeout: Override: limit must not be negative")
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if ctx, ok := move(r.Context(), func(x *exchange.Exchange, t exchange.Term) time.Duration {
				limit := limit
				if t.Budget > 0 && (limit == 0 || t.Budget < limit) {
					limit = t.Budget
				}
				return bounded(t, t.Began, limit)
			}); ok {
				r = r.WithContext(ctx)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Extend moves the deadline of a request from inside its handler to limit from
// now, shorter or longer, 0 meaning none, within Max of New. It returns ctx with
// the new deadline. What was derived from the request's context before ends
// with the new deadline too, but goes on saying the old one; what was given a
// timeout of its own keeps that. It returns ctx itself and an error for a
// negative limit and where no deadline is running.
func Extend(ctx context.Context, limit time.Duration) (context.Context, error) {
	if limit < 0 {
		return ctx, errors.New("timeout: Extend: limit must not be negative")
	}
	moved, ok := move(ctx, func(x *exchange.Exchange, t exchange.Term) time.Duration { return bounded(t, x.Now(), limit) })
	if !ok {
		return ctx, errors.New("timeout: Extend: no deadline is running")
	}
	return moved, nil
}

func move(ctx context.Context, at func(*exchange.Exchange, exchange.Term) time.Duration) (context.Context, bool) {
	x := exchange.From(ctx)
	if x == nil {
		return ctx, false
	}
	t, ok := x.Move(func(t exchange.Term) time.Duration { return at(x, t) })
	if !ok {
		return ctx, false
	}
	return x.Moved(ctx, t), true
}

// bounded is limit after from, 0 for none, within the ceiling of the term.
func bounded(t exchange.Term, from, limit time.Duration) time.Duration {
	ceiling := t.Began + t.Max
	if t.Max > 0 && (limit == 0 || from+limit > ceiling) {
		return ceiling
	}
	if limit == 0 {
		return 0
	}
	return from + limit
}

// Remaining is how much time ctx has left, negative once the deadline has
// passed; false where it has no deadline.
func Remaining(ctx context.Context) (time.Duration, bool) {
	at, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return time.Until(at), true
}

// joined is errors.Join on one line, nil for none.
func joined(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	text := errs[0].Error()
	for _, err := range errs[1:] {
		text += "; " + err.Error()
	}
	return errors.New(text)
}
