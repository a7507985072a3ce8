package interop_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// caller is a service whose handler calls an upstream with policies of failsafe-go
// around our transports: each attempt has its own limit and its own log record.
func caller(t *testing.T, st stack, perAttempt time.Duration, asked http.HandlerFunc, policies ...failsafe.Policy[*http.Response]) (s *server, calls lines, ended <-chan error) {
	t.Helper()
	to := upstream(t, asked).URL
	calls = make(lines, 1000)
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	client := &http.Client{Transport: failsafehttp.NewRoundTripper(
		timeout.NewTransport(timeout.TransportConfig{Limit: perAttempt, Base: limits.NewTransport(limits.TransportConfig{
			Base: logging.NewTransport(logging.TransportConfig{Base: base, Logger: calls.logger()}),
		})}), policies...)}
	end := make(chan error, 100)
	st.errs = mapper(errmap.Is(circuitbreaker.ErrOpen, errmap.Problem{Status: http.StatusServiceUnavailable, RetryAfter: time.Second}))
	s = st.serve(t, http1, st.errs.Handler(func(w http.ResponseWriter, r *http.Request) (err error) {
		defer func() { end <- err }()
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, to, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if err := errmap.FromResponse(res); err != nil {
			return err
		}
		_, err = io.Copy(w, res.Body)
		return err
	}))
	return s, calls, end
}

// TestRetryBudget: each attempt gets the rest of one deadline, and sends it to the
// upstream.
func TestRetryBudget(t *testing.T) {
	sent := make(chan int, 10)
	s, calls, ended := caller(t, stack{}, 0, func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(r.Header.Get("X-Request-Timeout-Ms"))
		sent <- ms
		if len(sent) < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, half)
	}, failsafehttp.NewRetryPolicyBuilder().WithMaxRetries(5).WithDelayFunc(nil).WithDelay(5*time.Millisecond).Build())
	res := s.get(t, "/").whole(t)
	assert.Equal(t, 200, res.status)
	assert.Equal(t, half, res.body)
	require.NoError(t, await(t, ended))
	l := s.logged(t, 200, logging.OutcomeOK)
	before := int(ample/time.Millisecond) + 1 // rounded up
	for range 4 {
		now := await(t, sent)
		assert.Less(t, now, before)
		assert.Positive(t, now)
		before = now
	}
	for _, status := range []int{503, 503, 503, 200} {
		call := calls.next(t)
		assert.Equal(t, status, call.Status)
		assert.Equal(t, l.RequestID, call.RequestID)
	}
}

// TestRetryDeadline: attempts end with the request, whose error has the reason.
func TestRetryDeadline(t *testing.T) {
	s, calls, ended := caller(t, stack{timeout: timeout.Config{Limit: handshake}}, limit,
		func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		failsafehttp.NewRetryPolicyBuilder().WithMaxRetries(-1).Build())
	assert.Equal(t, 504, s.get(t, "/").whole(t).status)
	require.ErrorIs(t, await(t, ended), context.DeadlineExceeded)
	s.logged(t, 504, logging.OutcomeDeadline)
	attempts := len(calls)
	assert.Greater(t, attempts, 1)
	pass(t, 2*limit)
	assert.Len(t, calls, attempts)
}

// TestCircuitBreaker: with a limit for each attempt, an upstream that hangs counts as
// failing. When the breaker is open no request waits for it.
func TestCircuitBreaker(t *testing.T) {
	breaker := circuitbreaker.NewBuilder[*http.Response]().WithFailureThreshold(3).WithDelay(ample).Build()
	s, calls, ended := caller(t, stack{}, limit, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, breaker)
	for range 3 {
		assert.Equal(t, 504, s.get(t, "/").whole(t).status)
		require.ErrorIs(t, await(t, ended), context.DeadlineExceeded)
		l := s.logged(t, 504, logging.OutcomeError)
		assert.Equal(t, "timeout.Error", l.ErrorType)
		assert.Equal(t, l.RequestID, calls.next(t).RequestID)
	}
	assert.True(t, breaker.IsOpen())
	res := s.get(t, "/").whole(t)
	assert.Equal(t, 503, res.status)
	assert.Equal(t, "1", res.header.Get("Retry-After"))
	require.ErrorIs(t, await(t, ended), circuitbreaker.ErrOpen)
	s.logged(t, 503, logging.OutcomeError)
	assert.Empty(t, calls)
}

// TestHedge: the response of the winning attempt is complete, and the losing one is
// canceled at the upstream.
func TestHedge(t *testing.T) {
	var attempts atomic.Int64
	gone := make(chan struct{})
	s, _, ended := caller(t, stack{}, 0, func(w http.ResponseWriter, r *http.Request) {
		if attempts.Add(1) == 1 {
			<-r.Context().Done()
			close(gone)
			return
		}
		_, _ = io.WriteString(w, big)
	}, hedgepolicy.NewWithDelay[*http.Response](limit))
	res := s.get(t, "/").whole(t)
	assert.Equal(t, 200, res.status)
	same(t, big, res.body)
	require.NoError(t, await(t, ended))
	await(t, gone)
	s.logged(t, 200, logging.OutcomeOK)
	assert.EqualValues(t, 2, attempts.Load())
}

// TestUpstreamAnswer: an upstream's response to our request says nothing about our
// client.
func TestUpstreamAnswer(t *testing.T) {
	s, _, ended := caller(t, stack{}, 0, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		failsafehttp.NewRetryPolicyBuilder().Build())
	assert.Equal(t, 502, s.get(t, "/").whole(t).status)
	require.Error(t, await(t, ended))
	s.logged(t, 502, logging.OutcomeError)
}
