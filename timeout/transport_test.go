package timeout_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/timeout"
)

// base is a RoundTripper made of a function, with a count of its calls.
type base struct {
	calls int
	do    func(*http.Request) (*http.Response, error)
}

func (b *base) RoundTrip(r *http.Request) (*http.Response, error) {
	b.calls++
	return b.do(r)
}

// slowBody gives a byte after each pause, n times, and ends with its context.
type slowBody struct {
	ctx    context.Context //nolint:containedctx // a test's
	n      int
	pause  time.Duration
	closed bool
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.n == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(b.pause):
		b.n--
		p[0] = 'x'
		return 1, nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

func (b *slowBody) Close() error {
	b.closed = true
	return nil
}

// answers after a pause with a body of n bytes, a pause before each.
func answers(head time.Duration, n int, pause time.Duration) *base {
	return &base{do: func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(head):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		return &http.Response{StatusCode: http.StatusOK, Body: &slowBody{ctx: r.Context(), n: n, pause: pause}}, nil
	}}
}

func roundTrip(ctx context.Context, t *testing.T, cfg timeout.TransportConfig) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://test/", http.NoBody)
	require.NoError(t, err)
	return timeout.NewTransport(cfg).RoundTrip(req)
}

// Reported elsewhere: a client's timeout stops at the headers, https://github.com/golang/go/issues/12852
func TestTransportLimit(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		base    *base
		within  time.Duration // the context's own deadline
		head    bool          // the headers come in time
		want    time.Duration // when it ends
		wantErr bool
		caller  bool
	}{
		{"in time", answers(time.Second, 3, time.Second), 0, true, 4 * time.Second, false, false},
		{"slow headers", answers(time.Minute, 1, 0), 0, false, 10 * time.Second, true, false},
		{"slow body", answers(time.Second, 60, time.Second), 0, true, 10 * time.Second, true, false},
		{"stalled body", answers(0, 1, time.Hour), 0, true, 10 * time.Second, true, false},
		{"the context is shorter: headers", answers(time.Minute, 1, 0), 5 * time.Second, false, 5 * time.Second, true, true},
		{"the context is shorter: body", answers(0, 60, time.Second), 5 * time.Second, true, 5 * time.Second, true, true},
		{"the context is longer", answers(time.Minute, 1, 0), time.Minute, false, 10 * time.Second, true, false},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx := t.Context()
				if tc.within > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.within)
					defer cancel()
				}
				res, err := roundTrip(ctx, t, timeout.TransportConfig{Base: tc.base, Limit: 10 * time.Second})
				if tc.head {
					require.NoError(t, err)
					_, err = io.ReadAll(res.Body)
					assert.NoError(t, res.Body.Close())
				}
				assert.Equal(t, tc.want, time.Since(began))
				if !tc.wantErr {
					assert.NoError(t, err)
					return
				}
				var e *timeout.Error
				require.ErrorAs(t, err, &e)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, tc.caller, e.Caller)
				assert.Equal(t, tc.want, e.Limit)
				assert.Equal(t, tc.want, e.Elapsed)
				assert.Equal(t, http.StatusGatewayTimeout, e.StatusCode(), "never 408")
			})
		})
	}
}

// The context lives until the body is read to its end or closed, and no longer.
//
// Reported elsewhere: the context ends when RoundTrip returns, https://github.com/failsafe-go/failsafe-go/issues/123
func TestTransportContextLivesWithTheBody(t *testing.T) {
	for _, tc := range []struct {
		desc string
		end  func(io.ReadCloser)
	}{
		{"read", func(b io.ReadCloser) { _, _ = io.ReadAll(b) }},
		{"closed", func(b io.ReadCloser) { _ = b.Close() }},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ctx context.Context
				b := answers(0, 3, time.Second)
				res, err := roundTrip(t.Context(), t, timeout.TransportConfig{
					Limit: time.Minute,
					Base: &base{do: func(r *http.Request) (*http.Response, error) {
						ctx = r.Context()
						return b.do(r)
					}},
				})
				require.NoError(t, err)
				<-time.After(time.Second)
				assert.NoError(t, ctx.Err())
				tc.end(res.Body)
				assert.Equal(t, context.Canceled, ctx.Err())
				_ = res.Body.Close()
			})
		})
	}
}

// A cancellation is not a timeout, and a timeout is not a cancellation.
func TestTransportCancelIsNotTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, b := range []*base{answers(time.Minute, 1, 0), answers(0, 60, time.Second)} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			res, err := roundTrip(ctx, t, timeout.TransportConfig{Base: b, Limit: 10 * time.Second})
			if err == nil {
				_, err = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			assert.ErrorIs(t, err, context.Canceled)
			assert.NotErrorIs(t, err, context.DeadlineExceeded)
			_, ok := errors.AsType[*timeout.Error](err)
			assert.False(t, ok)
		}
	})
}

// Other errors are passed on unchanged.
func TestTransportOtherErrors(t *testing.T) {
	b := &base{do: func(*http.Request) (*http.Response, error) { return nil, errBoom }}
	_, err := roundTrip(t.Context(), t, timeout.TransportConfig{Base: b, Limit: time.Second})
	assert.Equal(t, errBoom, err)
}

// Reported elsewhere: the caller's deadline is ignored, https://github.com/envoyproxy/envoy/issues/7358
func TestTransportSendsTheBudget(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		cfg    timeout.TransportConfig
		within time.Duration
		header string
		want   string // "": the header is not sent
	}{
		{"the limit", timeout.TransportConfig{Limit: 10 * time.Second}, 0, "X-Request-Timeout-Ms", "10000"},
		{"less the reserve", timeout.TransportConfig{Limit: 10 * time.Second, Reserve: 50 * time.Millisecond}, 0, "X-Request-Timeout-Ms", "9950"},
		{"what the context has left", timeout.TransportConfig{Limit: 10 * time.Second}, 3 * time.Second, "X-Request-Timeout-Ms", "3000"},
		{"what it has left less the reserve", timeout.TransportConfig{Reserve: time.Second}, 3 * time.Second, "X-Request-Timeout-Ms", "2000"},
		{"rounded up", timeout.TransportConfig{Limit: 10*time.Millisecond + 1}, 0, "X-Request-Timeout-Ms", "11"},
		{"gRPC", timeout.TransportConfig{Limit: 10 * time.Second, Header: "grpc-timeout"}, 0, "Grpc-Timeout", "10000000u"},
		{"Envoy", timeout.TransportConfig{Limit: 10 * time.Second, Header: "x-envoy-expected-rq-timeout-ms"}, 0, "X-Envoy-Expected-Rq-Timeout-Ms", "10000"},
		{"nothing bounds it", timeout.TransportConfig{}, 0, "X-Request-Timeout-Ms", ""},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tc.within > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.within)
					defer cancel()
				}
				var sent http.Header
				tc.cfg.Base = &base{do: func(r *http.Request) (*http.Response, error) {
					sent = r.Header
					return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
				}}
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://test/", http.NoBody)
				require.NoError(t, err)
				res, err := timeout.NewTransport(tc.cfg).RoundTrip(req)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				assert.Equal(t, tc.want, sent.Get(tc.header))
				assert.Empty(t, req.Header, "the caller's request is not touched")
			})
		})
	}
}

// The budget is computed for each attempt. An attempt whose budget is too small is not
// started: the transport does not dial.
func TestTransportFailsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		b := &base{do: func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r.Header.Get("X-Request-Timeout-Ms"))
			<-time.After(time.Second)
			return nil, errBoom
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		rt := timeout.NewTransport(timeout.TransportConfig{
			Base: b, Limit: time.Minute, Reserve: 100 * time.Millisecond, MinBudget: time.Second,
		})
		var err error
		for attempt := 0; attempt < 10 && !errors.Is(err, context.DeadlineExceeded); attempt++ {
			body := &slowBody{ctx: ctx}
			req, rerr := http.NewRequestWithContext(ctx, http.MethodPost, "http://test/", body)
			require.NoError(t, rerr)
			_, err = rt.RoundTrip(req)
			if errors.Is(err, context.DeadlineExceeded) {
				assert.True(t, body.closed, "a RoundTripper closes the body, also when it fails")
			}
		}
		assert.Equal(t, []string{"3400", "2400", "1400"}, sent)
		var e *timeout.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, timeout.PhaseBudget, e.Phase)
		assert.Equal(t, 400*time.Millisecond, e.Limit)
		assert.True(t, e.Caller)
		assert.NoError(t, ctx.Err(), "it was not waited for")
	})
}
