package timeout_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// New names every mistake at once, before the server runs.
func TestConfigIsChecked(t *testing.T) {
	for _, tc := range []struct {
		desc string
		wire func()
		want string
	}{
		{"no limit", func() { timeout.New(timeout.Config{}) }, "timeout: Limit must be positive"},
		{"negative limit", func() { timeout.New(timeout.Config{Limit: -1}) }, "timeout: Limit must be positive"},
		{"everything", func() {
			timeout.New(timeout.Config{Max: -1, MaxCaller: -1, Stream: -1, MinBudget: -1})
		}, "timeout: Limit must be positive; Max must not be negative; MaxCaller must not be negative; Stream must not be negative; MinBudget must not be negative"},
		{"Max under Limit", func() { timeout.New(timeout.Config{Limit: 2, Max: 1}) }, "timeout: Max must not be less than Limit"},
		{"MaxCaller under Limit", func() { timeout.New(timeout.Config{Limit: 2, MaxCaller: 1}) }, "timeout: MaxCaller must not be less than Limit"},
		{"Override", func() { timeout.Override(-1) }, "timeout: Override: limit must not be negative"},
		{"transport", func() {
			timeout.NewTransport(timeout.TransportConfig{Limit: -1, Reserve: -1, MinBudget: -1})
		}, "timeout: Limit must not be negative; Reserve must not be negative; MinBudget must not be negative"},
	} {
		t.Run(tc.desc, func(t *testing.T) { assert.PanicsWithValue(t, tc.want, tc.wire) })
	}
}

// The clock starts with the request, not with the wiring (golang/go #14568).
//
// Reported elsewhere: the clock starts with the wiring, https://github.com/golang/go/issues/14568
func TestLimitCountsFromTheRequest(t *testing.T) {
	mw := timeout.New(timeout.Config{Limit: time.Second})
	variants[0].bubble(t, mw(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		<-time.After(900 * time.Millisecond)
	})), func(t *testing.T, s *testhttp.Server) {
		for range 3 {
			<-time.After(time.Minute)
			assert.Equal(t, http.StatusOK, s.Get(t, "/").Status)
		}
	})
}

// The state is made by New, because frameworks such as echo.WrapMiddleware call the
// middleware once per request, from any goroutine.
func TestMiddlewareMayBeAppliedPerRequest(t *testing.T) {
	mw := timeout.New(timeout.Config{Limit: time.Second})
	variants[0].bubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mw(untilDone).ServeHTTP(w, r)
	}), func(t *testing.T, s *testhttp.Server) {
		assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
	})
}

func TestError(t *testing.T) {
	for _, tc := range []struct {
		err    timeout.Error
		want   string
		status int
	}{
		{timeout.Error{Limit: time.Second, Elapsed: 1001 * time.Millisecond, Phase: timeout.PhaseHandler},
			"timeout: limit of 1s exceeded, after 1.001s", http.StatusGatewayTimeout},
		{timeout.Error{Limit: time.Second, Elapsed: time.Second, Phase: timeout.PhaseHandler, Caller: true},
			"timeout: caller's limit of 1s exceeded, after 1s", http.StatusGatewayTimeout},
		{timeout.Error{Limit: time.Second, Elapsed: time.Second, Phase: timeout.PhaseBody},
			"timeout: limit of 1s exceeded while waiting for the request body, after 1s", http.StatusRequestTimeout},
		{timeout.Error{Limit: time.Second, Elapsed: time.Second, Phase: timeout.PhaseResponse},
			"timeout: limit of 1s exceeded while sending the response, after 1s", http.StatusGatewayTimeout},
		{timeout.Error{Limit: time.Millisecond, Phase: timeout.PhaseBudget, Caller: true},
			"timeout: not started: caller's budget of 1ms is too small", http.StatusGatewayTimeout},
		{timeout.Error{Limit: time.Millisecond, Phase: timeout.PhaseBudget},
			"timeout: not started: budget of 1ms is too small", http.StatusGatewayTimeout},
	} {
		t.Run(tc.want, func(t *testing.T) {
			err := error(&tc.err)
			assert.EqualError(t, err, tc.want)
			assert.Equal(t, tc.status, tc.err.StatusCode())
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.NotErrorIs(t, err, context.Canceled)
			ne, ok := errors.AsType[interface {
				error
				Timeout() bool
			}](err)
			assert.True(t, ok && ne.Timeout(), "as net.Error has it")
		})
	}
}
