package timeout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// TransportConfig configures [NewTransport].
type TransportConfig struct {
	// Base makes the requests. Default: http.DefaultTransport at the time of
	// the request.
	Base http.RoundTripper

	// Limit bounds each attempt from the first byte sent to the end of the
	// response's body. Default 0: only the context's deadline does.
	Limit time.Duration

	// Reserve is kept back from what is told to the server, for our own work
	// after its answer. Default 0.
	Reserve time.Duration

	// MinBudget is the least that must be left after Reserve for an attempt to
	// be made at all. Default 0: more than nothing.
	MinBudget time.Duration

	// Header tells the server how long it has. Its dialect follows the name:
	// grpc-timeout, anything else in whole milliseconds. Default
	// X-Request-Timeout-Ms.
	Header string
}

// NewTransport returns a RoundTripper that bounds every attempt, tells the
// server how much time is left, and refuses to start one that cannot end well.
// The limit covers the body: the context lives until the body is read to its
// end or closed. What remains is computed anew for each attempt, so a retry
// around it sees the budget shrink.
//
// When time is up the error, from RoundTrip or from reading the body, is an
// *[Error]; the caller's own cancellation stays context.Canceled. A switched
// protocol (101) lifts the limit. It panics if cfg is wrong.
func NewTransport(cfg TransportConfig) http.RoundTripper {
	if err := cfg.validate(); err != nil {
		panic("timeout: " + err.Error())
	}
	if cfg.Header == "" {
		cfg.Header = requestHeader
	}
	cfg.Header = http.CanonicalHeaderKey(cfg.Header)
	return &transport{cfg}
}

func (c TransportConfig) validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"Limit", c.Limit}, {"Reserve", c.Reserve}, {"MinBudget", c.MinBudget}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", f.name))
		}
	}
	return joined(errs)
}

type transport struct{ TransportConfig }

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a := &attempt{began: time.Now(), limit: t.Limit}
	if at, ok := req.Context().Deadline(); ok {
		if left := at.Sub(a.began); a.limit == 0 || left < a.limit {
			a.limit, a.callers = left, true
		}
	}
	if a.limit == 0 && !a.callers { // nothing bounds it, nothing is told
		return t.base().RoundTrip(req)
	}
	budget := a.limit - t.Reserve
	if budget <= 0 || budget < t.MinBudget {
		if req.Body != nil {
			_ = req.Body.Close() // as a RoundTripper must
		}
		return nil, &Error{Limit: budget, Phase: PhaseBudget, Caller: a.callers}
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	a.ctx, a.cancel = ctx, cancel
	a.timer = time.AfterFunc(a.limit, func() { cancel(a.error(PhaseHandler)) })
	out := req.Clone(ctx)
	out.Header.Set(t.Header, formatBudget(t.Header, budget))
	res, err := t.base().RoundTrip(out)
	if err != nil {
		err = a.explain(err)
		a.end()
		return nil, err
	}
	a.attach(res)
	return res, nil
}

func (t *transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport
}

// attempt is one request on its way.
type attempt struct {
	began   time.Time
	limit   time.Duration
	callers bool            // the limit is that of the context
	ctx     context.Context //nolint:containedctx // it lives as long as the body
	cancel  context.CancelCauseFunc
	timer   *time.Timer
}

func (a *attempt) error(p Phase) *Error {
	return &Error{Limit: a.limit, Elapsed: time.Since(a.began), Phase: p, Caller: a.callers}
}

// explain is the *Error if time is up, and err as it is for everything else.
func (a *attempt) explain(err error) error {
	if e, ok := errors.AsType[*Error](context.Cause(a.ctx)); ok {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return a.error(PhaseHandler) // the context was faster than the timer
	}
	return err
}

func (a *attempt) end() {
	a.timer.Stop()
	a.cancel(nil)
}

// attach lets the attempt end with the body.
func (a *attempt) attach(res *http.Response) {
	if res.StatusCode == http.StatusSwitchingProtocols {
		a.timer.Stop()
		return // the connection is the caller's, and its context too
	}
	if res.Body == http.NoBody {
		a.end()
		return
	}
	res.Body = &attemptBody{a, res.Body}
}

type attemptBody struct {
	a   *attempt
	src io.ReadCloser
}

func (b *attemptBody) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if err != nil {
		if err != io.EOF { //nolint:errorlint // readers return it bare
			err = b.a.explain(err)
		}
		b.a.end()
	}
	return n, err
}

func (b *attemptBody) Close() error {
	err := b.src.Close()
	b.a.end()
	return err
}
