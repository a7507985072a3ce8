package limits_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/timeout"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// do serves one request without a network, and returns its response.
func do(ctx context.Context, h http.Handler, path string) (w *httptest.ResponseRecorder, e *ending) {
	w, e = httptest.NewRecorder(), &ending{}
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			panic(v)
		}
	}()
	observed(e, h).ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", path, nil))
	return w, e
}

// ending is how a request ended, as logging would see it.
type ending struct{ exchange.Ending }

func (e *ending) ID() string                                      { return "" }
func (e *ending) Ended(_ *exchange.Exchange, end exchange.Ending) { e.Ending = end }
func (e *ending) Late(*exchange.Exchange, any, []byte)            {}

func observed(e *ending, next http.Handler) http.Handler {
	return exchange.Func(next, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		x.Observe(e)
		next.ServeHTTP(w, r)
	})
}

// held is a handler that waits until it is released.
type held struct {
	started chan string
	release chan struct{}
}

func newHeld() held { return held{make(chan string, 100), make(chan struct{})} }

func (h held) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	h.started <- r.URL.Path
	<-h.release
}

// Reported elsewhere:
//   - a negative Retry-After, https://github.com/alisaifee/flask-limiter/issues/56
//   - load shedding by CPU load only, https://github.com/gofiber/fiber/issues/2341
func TestMaxInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := limits.New(limits.Config{MaxInFlight: 2, RetryAfter: 10 * time.Second})(inner)
		for range 2 {
			go do(t.Context(), h, "/")
		}
		synctest.Wait()
		seen := map[string]bool{}
		for range 100 {
			w, e := do(t.Context(), h, "/")
			assert.Equal(t, 503, w.Code)
			assert.Equal(t, exchange.Refused, e.Outcome)
			var le *limits.Error
			require.ErrorAs(t, e.Cause, &le)
			assert.Equal(t, limits.ReasonInFlight, le.Reason)
			after := w.Header().Get("Retry-After")
			n, err := strconv.Atoi(after)
			require.NoError(t, err)
			assert.GreaterOrEqual(t, n, 10)
			assert.LessOrEqual(t, n, 20)
			seen[after] = true
		}
		assert.Greater(t, len(seen), 1, "jittered")
		close(inner.release)
		synctest.Wait()
		w, _ := do(t.Context(), h, "/")
		assert.Equal(t, 200, w.Code)
	})
}

// Reported elsewhere: load shedding by CPU load only, https://github.com/gofiber/fiber/issues/2341
func TestQueueIsFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 5, MaxWait: time.Hour})(inner)
		for i := range 6 {
			go do(t.Context(), h, "/"+strconv.Itoa(i))
			synctest.Wait()
		}
		w, _ := do(t.Context(), h, "/6")
		assert.Equal(t, 503, w.Code, "the queue is full")
		for i := range 6 {
			assert.Equal(t, "/"+strconv.Itoa(i), <-inner.started)
			inner.release <- struct{}{}
		}
		synctest.Wait()
		assert.Empty(t, inner.started)
	})
}

// A queued request leaves the queue when its context is canceled, and its place is
// free. A cancellation alone does not prove a disconnect, so it gets a refusal.
//
// Reported elsewhere:
//   - a queued request outlives its client (failsafe-go's HTTP server).
//   - a client that left the queue is a 429 (chi's Throttle).
func TestQueuedRequestLeavesWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: time.Hour})(inner)
		go do(t.Context(), h, "/first")
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan *ending, 1)
		go func() {
			_, e := do(ctx, h, "/gone")
			ended <- e
		}()
		synctest.Wait()
		leave()
		e := <-ended
		assert.Equal(t, exchange.Refused, e.Outcome)
		assert.Equal(t, http.StatusServiceUnavailable, e.Status)
		go do(t.Context(), h, "/second")
		synctest.Wait()
		assert.Equal(t, "/first", <-inner.started)
		inner.release <- struct{}{}
		assert.Equal(t, "/second", <-inner.started)
		close(inner.release)
	})
}

// Requests that can no longer be served in time do not delay others.
//
// Reported elsewhere: a queue serves only what has expired, https://github.com/envoyproxy/envoy/issues/29070
func TestDeadlineInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 10, MaxWait: 3 * time.Second})(inner)
		go do(t.Context(), h, "/")
		synctest.Wait()
		for _, tc := range []struct{ deadline, want time.Duration }{
			{time.Second, 990 * time.Millisecond},
			{time.Hour, 3 * time.Second},
			{5 * time.Millisecond, 0},
			{-time.Second, 0},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), tc.deadline)
			began := time.Now()
			w, e := do(ctx, h, "/")
			cancel()
			assert.Equal(t, 503, w.Code)
			assert.Equal(t, exchange.Refused, e.Outcome)
			assert.Equal(t, tc.want, time.Since(began))
		}
		close(inner.release)
	})
}

// The same with an enforced deadline outside: limits responds, not timeout.
//
// Reported elsewhere: a queue serves only what has expired, https://github.com/envoyproxy/envoy/issues/29070
func TestEnforcedDeadlineInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := timeout.New(timeout.Config{Limit: time.Second})(limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: time.Hour})(inner))
		go do(t.Context(), h, "/")
		synctest.Wait()
		w, e := do(t.Context(), h, "/")
		assert.Equal(t, 503, w.Code)
		assert.Equal(t, exchange.Refused, e.Outcome)
		time.Sleep(time.Second)
		w, _ = do(t.Context(), h, "/")
		assert.Equal(t, 503, w.Code, "the stuck handler has been answered for and keeps its permit")
		close(inner.release)
		synctest.Wait()
		w, _ = do(t.Context(), h, "/")
		assert.Equal(t, 200, w.Code)
	})
}
