package timeout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/roundtrip"
)

// TransportConfig configures [NewTransport]. The zero value of every field means
// the documented default.
type TransportConfig struct {
	// Base makes the requests. Default: the value of http.DefaultTransport when
	// NewTransport is called.
	Base http.RoundTripper

	// Limit bounds each attempt, from the call of RoundTrip to the end of the
	// response body. Default 0: only the deadline of the request's context bounds
	// it.
	Limit time.Duration

	// Reserve is subtracted from the budget that is sent to the server, to leave time
	// for the caller's own work after the response. Default 0.
	Reserve time.Duration

	// MinBudget is the smallest budget, after Reserve, with which an attempt is
	// started. Default 0: an attempt is started unless the budget is spent.
	MinBudget time.Duration

	// Header is the request header that carries the budget. The value is in whole
	// milliseconds or, if the header is grpc-timeout, in gRPC's format. Default
	// X-Request-Timeout-Ms.
	Header string
}

// NewTransport returns a RoundTripper that bounds every attempt, sends the server
// the remaining time as its budget, and does not start an attempt whose budget is
// too small. The limit includes the body: the context is canceled when the body has
// been read to its end or closed. The budget is computed for each attempt, so it
// shrinks from one retry to the next. NewTransport panics if cfg is wrong.
//
// When the limit or the deadline of the request's context has passed, RoundTrip and
// reads of the body return an *[Error]. It wraps the context's cause, and the error
// of Base if that error has more details. All other errors are returned unchanged,
// such as context.Canceled if the caller cancels the request, or the error of a
// deadline that Base sets.
//
// A response that switches protocols (101, or a successful CONNECT) lifts Limit. A
// request that has neither a Limit nor a deadline is passed to Base unchanged.
// "Outbound" in the package comment gives the order of the transports.
func NewTransport(cfg TransportConfig) http.RoundTripper {
	base, err := roundtrip.Base(cfg.Base)
	if err := cfg.validate(err); err != nil {
		panic("timeout: " + err.Error())
	}
	if cfg.Header == "" {
		cfg.Header = requestHeader
	}
	cfg.Header = http.CanonicalHeaderKey(cfg.Header)
	return roundtrip.New(base, cfg.begin)
}

func (c TransportConfig) validate(base error) error {
	var errs []error
	if base != nil {
		errs = append(errs, base)
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"Limit", c.Limit}, {"Reserve", c.Reserve}, {"MinBudget", c.MinBudget}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", f.name))
		}
	}
	if c.Header != "" && !isToken(c.Header) {
		errs = append(errs, fmt.Errorf("Header %q is not a header name", c.Header))
	}
	return joined(errs)
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return true
}

// begin implements roundtrip.Begin.
func (c TransportConfig) begin(req *http.Request) (*http.Request, roundtrip.Call, error) {
	a := &attempt{ctx: req.Context(), began: time.Now(), limit: c.Limit}
	if at, ok := a.ctx.Deadline(); ok {
		a.deadline = at
		if left := at.Sub(a.began); a.limit == 0 || left < a.limit {
			a.limit, a.fromCaller = left, true
		}
	}
	if a.limit == 0 && !a.fromCaller { // it has no limit
		return req, nil, nil
	}
	if a.ctx.Err() != nil { // as http.Transport does
		return nil, nil, context.Cause(a.ctx)
	}
	budget := a.limit - c.Reserve
	if budget <= 0 || budget < c.MinBudget {
		return nil, nil, &Error{Limit: budget, Phase: PhaseBudget, Caller: a.fromCaller}
	}
	if !a.fromCaller {
		ctx, cancel := context.WithCancelCause(a.ctx)
		a.ctx, a.cancel = ctx, cancel
		a.timer = time.AfterFunc(a.limit, func() {
			e := a.error()
			a.expired.Store(e)
			cancel(e)
		})
	}
	out := roundtrip.Copy(a.ctx, req)
	roundtrip.SetHeader(out, c.Header, formatBudget(c.Header, budget))
	return out, a, nil
}

// attempt is one outbound request. It implements roundtrip.Call.
type attempt struct {
	ctx        context.Context
	began      time.Time
	deadline   time.Time // of the caller's context; zero if it has none
	limit      time.Duration
	fromCaller bool // the caller's context has the limit, and enforces it

	// Set if limit is TransportConfig.Limit.
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	expired atomic.Pointer[Error]

	ended atomic.Bool // a later error has nothing to do with the deadline
}

func (a *attempt) error() *Error {
	return &Error{Limit: a.limit, Elapsed: time.Since(a.began), Phase: PhaseHandler, Caller: a.fromCaller}
}

// explain returns an *Error if the limit or the deadline has passed, and otherwise
// err.
func (a *attempt) explain(err error) error {
	e, cause := a.timeUp()
	if e == nil {
		return err
	}
	if in, ok := errors.AsType[*Error](err); ok && in == e {
		return err
	}
	if errors.Is(err, context.Canceled) || err == context.DeadlineExceeded { //nolint:errorlint // a wrapped one says more
		if err = cause; err == nil {
			return e
		}
	}
	more := *e
	more.below = err
	return &more
}

// timeUp returns an *Error if the limit or the caller's deadline has ended the
// attempt. For a deadline it also returns the cause of the caller's context.
func (a *attempt) timeUp() (*Error, error) {
	cause := context.Cause(a.ctx)
	if e := a.expired.Load(); e != nil && cause == e { //nolint:errorlint // the very one
		return e, nil
	}
	switch err := a.ctx.Err(); {
	case err == context.DeadlineExceeded:
	case err == nil && !a.deadline.IsZero() && !time.Now().Before(a.deadline):
		// A dialer or http.Client.Timeout was faster than the context.
		cause = nil
	default:
		return nil, nil //nolint:nilnil // time is not up, and there is no cause
	}
	if cause == context.DeadlineExceeded { //nolint:errorlint // it says no more than Error does
		cause = nil
	}
	e := a.error()
	if !a.deadline.IsZero() {
		e.Limit, e.Caller = a.deadline.Sub(a.began), true
	}
	return e, cause
}

func (a *attempt) end() {
	a.ended.Store(true)
	if a.timer != nil {
		a.timer.Stop()
		a.cancel(nil)
	}
}

// Failed implements roundtrip.Call.
func (a *attempt) Failed(err error) error {
	err = a.explain(err)
	a.end()
	return err
}

// Answered implements roundtrip.Call.
func (a *attempt) Answered(_ *http.Response, k roundtrip.Kind) error {
	switch {
	case k == roundtrip.None:
		a.end()
	case k == roundtrip.Tunnel && a.timer != nil:
		a.timer.Stop() // the caller now owns the connection, and its context must not end
	}
	return nil
}

// Read implements roundtrip.Follower.
func (a *attempt) Read(n int, err error) (int, error) {
	if err != nil {
		if err != io.EOF && !a.ended.Load() { //nolint:errorlint // readers return it bare
			err = a.explain(err)
		}
		a.end()
	}
	return n, err
}

// Close implements roundtrip.Follower.
func (a *attempt) Close(src io.ReadCloser, _ bool) error {
	err := src.Close()
	a.end()
	return err
}
