package reputation_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/examples/service/internal/reputation"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// upstream returns a client of a third party that responds as f does, and counts the
// requests.
func upstream(t *testing.T, cfg reputation.Config, f http.HandlerFunc) (*reputation.Client, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		f(w, r)
	}))
	base := &http.Transport{}
	t.Cleanup(func() {
		base.CloseIdleConnections()
		srv.Close()
	})
	cfg.URL, cfg.Base = srv.URL, base
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	c, err := reputation.New(cfg)
	require.NoError(t, err)
	return c, &asked
}

func TestScore(t *testing.T) {
	var seen *http.Request
	c, _ := upstream(t, reputation.Config{}, func(w http.ResponseWriter, r *http.Request) {
		seen = r
		_, _ = io.WriteString(w, `{"score":0.75}`)
	})
	score, err := c.Score(t.Context(), "ada+1@example.org")
	require.NoError(t, err)
	assert.InDelta(t, 0.75, score, 0)
	assert.Equal(t, "/reputation", seen.URL.Path)
	assert.Equal(t, "ada+1@example.org", seen.URL.Query().Get("email"))
	assert.NotEmpty(t, seen.Header.Get("X-Request-Timeout-Ms"))
}

// TestBadAnswers: every bad response is the package's one error.
func TestBadAnswers(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		answer http.HandlerFunc
		asked  int64
		as     func(error) bool
	}{
		{"500", status(500), 3, nil},
		{"429", status(429), 3, nil},
		{"401", status(401), 1, nil},
		{"404", status(404), 1, nil},
		{"no JSON", body("<html>"), 1, nil},
		{"half of it", body(`{"score":`), 1, is(io.ErrUnexpectedEOF)},
		{"nothing in it", body(`{}`), 1, nil},
		{"out of range", body(`{"score":17}`), 1, nil},
		{"too large", body(`{"x":"` + strings.Repeat("x", 2000) + `","score":1}`), 1, tooLarge},
		{"declared too large", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "10737418240") }, 1, tooLarge},
		{"broken off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 3, is(io.EOF)},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			calls := make(chan logging.Record, 10)
			c, asked := upstream(t, reputation.Config{Retries: 2, MaxResponseBytes: 1000,
				Logging: logging.TransportConfig{OnRecord: func(_ context.Context, r logging.Record) { calls <- r }}}, tc.answer)
			_, err := c.Score(t.Context(), "ada@example.org")
			require.ErrorIs(t, err, reputation.ErrUnavailable)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			assert.True(t, tc.as == nil || tc.as(err), err)
			assert.Equal(t, tc.asked, asked.Load())
			assert.Len(t, calls, int(tc.asked), "a line for each, so that no body was left open")
		})
	}
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func tooLarge(err error) bool {
	var limit *limits.Error
	return errors.As(err, &limit)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// TestRetry: a temporary failure is not seen.
func TestRetry(t *testing.T) {
	var n atomic.Int64
	c, asked := upstream(t, reputation.Config{Retries: 2}, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"score":0}`)
	})
	_, err := c.Score(t.Context(), "ada@example.org")
	require.NoError(t, err)
	assert.EqualValues(t, 3, asked.Load())
}

// hang waits until the client disconnects.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestHangs(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		limit   time.Duration
		context func(context.Context) (context.Context, context.CancelFunc)
		answer  http.HandlerFunc
		want    error
	}{
		{"each attempt", 20 * time.Millisecond, context.WithCancel, hang, context.DeadlineExceeded},
		{"within the body", 20 * time.Millisecond, context.WithCancel, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"sc`)
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}, context.DeadlineExceeded},
		{"the caller's deadline", time.Minute, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Millisecond)
		}, hang, context.DeadlineExceeded},
		{"the caller leaves", time.Minute, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		}, hang, context.Canceled},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			c, _ := upstream(t, reputation.Config{Timeout: tc.limit, Retries: 2}, tc.answer)
			ctx, cancel := tc.context(t.Context())
			defer cancel()
			_, err := c.Score(ctx, "ada@example.org")
			require.ErrorIs(t, err, tc.want)
			assert.NotErrorIs(t, err, reputation.ErrUnavailable)
		})
	}
}

// TestBreaker: a third party that fails is not called, and tried again later.
func TestBreaker(t *testing.T) {
	var well atomic.Bool
	c, asked := upstream(t, reputation.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		if !well.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, `{"score":1}`)
	})
	opened := false
	for range 20 {
		_, err := c.Score(t.Context(), "ada@example.org")
		require.ErrorIs(t, err, reputation.ErrUnavailable)
		opened = opened || errors.Is(err, circuitbreaker.ErrOpen)
	}
	assert.True(t, opened)
	assert.Less(t, asked.Load(), int64(20))
	well.Store(true)
	require.Eventually(t, func() bool {
		_, err := c.Score(t.Context(), "ada@example.org")
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
}

func TestNew(t *testing.T) {
	_, err := reputation.New(reputation.Config{URL: "https://u:hunter2@[::", Timeout: time.Second})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}
