package timeout_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// A handler that outlives its request is reported: in the ending, at the deadline,
// and once more when it ends.
//
// Reported elsewhere: a goroutine leaks, https://github.com/kubernetes/kubernetes/issues/33472
func TestAbandoned(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		endings, lates := make(chan exchange.Ending, 2), make(chan lateEnd, 2)
		stuck := make(chan struct{})
		s := v.start(t, chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }),
			observed(endings, lates), timeout.New(timeout.Config{Limit: limit})))
		s.Get(t, "/")
		e := testhttp.Await(t, endings, "the ending")
		assert.True(t, e.Abandoned)
		assert.Equal(t, exchange.DeadlineHit, e.Outcome)
		assert.Equal(t, http.StatusGatewayTimeout, e.Status)
		assert.Equal(t, int64(len(gatewayTimeout)), e.BytesOut)
		assert.Equal(t, timeout.PhaseHandler, phaseOf(t, e.Cause))
		assert.GreaterOrEqual(t, e.Duration, limit)
		assert.Empty(t, lates, "it has not ended yet")
		close(stuck)
		assert.Nil(t, testhttp.Await(t, lates, "the late end").panicked)
		assert.Empty(t, endings)
		assert.Empty(t, lates)
	})
}

// A handler that follows its context may return in time and is then not abandoned.
func TestNotAbandoned(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		endings, lates := make(chan exchange.Ending, 2), make(chan lateEnd, 2)
		s := v.start(t, chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
			observed(endings, lates), timeout.New(timeout.Config{Limit: testhttp.Patience})))
		s.Get(t, "/")
		e := testhttp.Await(t, endings, "the ending")
		assert.False(t, e.Abandoned)
		assert.NotEqual(t, exchange.DeadlineHit, e.Outcome)
		assert.Empty(t, lates)
	})
}

// Its permits, files and so on are held until it has really returned.
//
// Reported elsewhere:
//   - a panic leaks the permit, https://github.com/valyala/fasthttp/issues/2219
//   - a stalled body holds a slot forever, https://github.com/moonrhythm/parapet/issues/237
func TestWhenHandlerEnds(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		stuck, ended, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
		s := v.start(t, chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }),
			func(next http.Handler) http.Handler { // a middleware that holds a permit
				return exchange.Func(next, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
					defer close(left)
					defer x.WhenHandlerEnds(func() { close(ended) })
					next.ServeHTTP(w, r)
				})
			}, timeout.New(timeout.Config{Limit: limit})))
		s.Get(t, "/")
		if v.desc == "HTTP/2" {
			testhttp.Await(t, left, "the server's goroutine")
		}
		select {
		case <-ended:
			assert.Fail(t, "the handler is still running")
		default:
		}
		close(stuck)
		testhttp.Await(t, ended, "the handler's end")
	})
}

// On HTTP/2 a handler whose client has left is abandoned at the deadline, like any
// other: a server runs only so many handlers of a connection. The limit is longer than a
// handler may take to notice that the client has left.
func TestAbandonedAfterTheClientLeft(t *testing.T) {
	for _, want := range []any{nil, "boom"} {
		t.Run(fmt.Sprintf("panic: %v", want), func(t *testing.T) {
			endings, lates := make(chan exchange.Ending, 2), make(chan lateEnd, 2)
			stuck, in, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
			s := variants[1].start(t, chain(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_ = r.Context().Done() // from now on the context is watched
				close(in)
				<-stuck
				if want != nil {
					panic(want)
				}
			}), func(next http.Handler) http.Handler {
				return exchange.Func(next, func(_ *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
					defer close(left)
					next.ServeHTTP(w, r)
				})
			}, observed(endings, lates), timeout.New(timeout.Config{Limit: 300 * time.Millisecond})))
			ctx, leave := context.WithCancel(t.Context())
			go func() { <-in; leave() }()
			require.ErrorIs(t, s.Do(s.Request(t, http.MethodGet, "/", http.NoBody).WithContext(ctx)).Err, context.Canceled)
			e := testhttp.Await(t, endings, "the ending")
			assert.Equal(t, exchange.Gone, e.Outcome)
			assert.True(t, e.Abandoned)
			testhttp.Await(t, left, "the server's goroutine")
			assert.Empty(t, lates, "it has not ended yet")
			close(stuck)
			assert.Equal(t, want, testhttp.Await(t, lates, "the late end").panicked)
			assert.Empty(t, endings)
			assert.Empty(t, lates)
		})
	}
}
