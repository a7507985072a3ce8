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

// do serves one request without a network, with what there is to see of it.
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
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, w, r, _ := exchange.Enter(w, r)
		defer x.Leave()
		x.Observe(e)
		next.ServeHTTP(w, r)
		x.Returned()
	})
}

// held is a handler that waits to be let go.
type held struct {
	started chan string
	release chan struct{}
}

func newHeld() held { return held{make(chan string, 100), make(chan struct{})} }

func (h held) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	h.started <- r.URL.Path
	<-h.release
}

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
			assert.True(t, e.Refused)
			var le *limits.Error
			require.ErrorAs(t, e.Cause, &le)
			assert.Equal(t, limits.ReasonInFlight, le.Reason)
			after := w.Header().Get("Retry-After")
			n, err := strconv.Atoi(after) // L34
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

// L20, L21: a queued request leaves with its client, is logged as gone and not
// as refused, and its place is free.
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
		assert.True(t, e.ClientGone)
		assert.False(t, e.Refused)
		assert.Zero(t, e.Status)
		require.ErrorIs(t, e.Cause, exchange.ErrClientGone)
		go do(t.Context(), h, "/second")
		synctest.Wait()
		assert.Equal(t, "/first", <-inner.started)
		inner.release <- struct{}{}
		assert.Equal(t, "/second", <-inner.started)
		close(inner.release)
	})
}

// L28: what cannot be served in time any more does not hold up what can.
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
			assert.True(t, e.Refused)
			assert.Equal(t, tc.want, time.Since(began))
		}
		close(inner.release)
	})
}

// The same with an enforced deadline further out: it is limits that answers.
func TestEnforcedDeadlineInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := timeout.New(timeout.Config{Limit: time.Second})(limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: time.Hour})(inner))
		go do(t.Context(), h, "/")
		synctest.Wait()
		w, e := do(t.Context(), h, "/")
		assert.Equal(t, 503, w.Code)
		assert.True(t, e.Refused)
		time.Sleep(time.Second)
		w, _ = do(t.Context(), h, "/")
		assert.Equal(t, 503, w.Code, "the stuck handler has been answered for and keeps its permit")
		close(inner.release)
		synctest.Wait()
		w, _ = do(t.Context(), h, "/")
		assert.Equal(t, 200, w.Code)
	})
}
