package timeout_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/timeout"
)

// A handler that outlives its request is told of: in the ending, at the
// deadline, and once more when it ends.
func TestAbandoned(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		endings, lates := make(chan exchange.Ending, 2), make(chan lateEnd, 2)
		stuck := make(chan struct{})
		s := v.start(t, chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }),
			observed(endings, lates), timeout.New(timeout.Config{Limit: limit})))
		s.get(t)
		e := receive(t, endings, "the ending")
		assert.True(t, e.Abandoned)
		assert.True(t, e.Deadline)
		assert.Equal(t, http.StatusGatewayTimeout, e.Status)
		assert.Equal(t, int64(len(gatewayTimeout)), e.BytesOut)
		assert.Equal(t, timeout.PhaseHandler, phaseOf(t, e.Cause))
		assert.GreaterOrEqual(t, e.Duration, limit)
		assert.Empty(t, lates, "it has not ended yet")
		close(stuck)
		assert.Nil(t, receive(t, lates, "the late end").panicked)
		assert.Empty(t, endings)
		assert.Empty(t, lates)
	})
}

// One that listens to its context may well be back in time to be none.
func TestNotAbandoned(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		endings, lates := make(chan exchange.Ending, 2), make(chan lateEnd, 2)
		s := v.start(t, chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
			observed(endings, lates), timeout.New(timeout.Config{Limit: watchdog})))
		s.get(t)
		e := receive(t, endings, "the ending")
		assert.False(t, e.Abandoned)
		assert.False(t, e.Deadline)
		assert.Empty(t, lates)
	})
}

// Its permits, files and so on are held until it has really ended.
func TestWhenHandlerEnds(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		stuck, ended, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
		s := v.start(t, chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }),
			func(next http.Handler) http.Handler { // a middleware that holds a permit
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					x, w, r, _ := exchange.Enter(w, r)
					defer x.Leave()
					defer close(left)
					defer x.WhenHandlerEnds(func() { close(ended) })
					next.ServeHTTP(w, r)
					x.Returned()
				})
			}, timeout.New(timeout.Config{Limit: limit})))
		s.get(t)
		if v.desc == "HTTP/2" {
			receive(t, left, "the server's goroutine")
		}
		select {
		case <-ended:
			assert.Fail(t, "the handler is still running")
		default:
		}
		close(stuck)
		receive(t, ended, "the handler's end")
	})
}
