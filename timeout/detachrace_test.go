package timeout_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// A deadline that passes while its handler begins to run on its own goroutine does not
// keep the server's goroutine.
func TestDeadlineWhileTheHandlerBegins(t *testing.T) {
	const requests = 1000
	for _, limit := range []time.Duration{1, time.Microsecond, 2 * time.Microsecond, 5 * time.Microsecond} {
		t.Run(limit.String(), func(t *testing.T) {
			var returned atomic.Int32
			h := timeout.New(timeout.Config{Limit: limit, Detach: true})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
			}))
			s := variants[1].start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer returned.Add(1)
				h.ServeHTTP(w, r)
			}))
			for range requests {
				assert.Equal(t, http.StatusGatewayTimeout, s.Do(s.Request(t, http.MethodGet, "/", http.NoBody)).Status)
			}
			assert.Eventually(t, func() bool { return returned.Load() == requests }, testhttp.Patience, time.Millisecond)
		})
	}
}
