package timeout_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// Cooperative only ends the context. The handler responds, however late.
//
// Reported elsewhere: a cooperative timeout is expected to enforce, https://github.com/go-chi/chi/issues/198
func TestCooperative(t *testing.T) {
	cooperative := timeout.New(timeout.Config{Limit: 10 * time.Second, Cooperative: true})
	everywhere(t, func(t *testing.T, v variant) {
		v.bubble(t, cooperative(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			assert.Equal(t, context.DeadlineExceeded, r.Context().Err())
			assert.Equal(t, timeout.PhaseHandler, phaseOf(t, context.Cause(r.Context())))
			<-time.After(5 * time.Second)
			w.WriteHeader(http.StatusServiceUnavailable)
			_, err := io.WriteString(w, "my own words")
			assert.NoError(t, err)
		})), func(t *testing.T, s *testhttp.Server) {
			res := s.Get(t, "/")
			assert.NoError(t, res.Err)
			assert.Equal(t, http.StatusServiceUnavailable, res.Status)
			assert.Equal(t, "my own words", res.Body)
			assert.Equal(t, 15*time.Second, res.Took)
		})
	})
}

// An enforced deadline around a cooperative one is enforced all the same.
func TestCooperativeInsideEnforced(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		v.bubble(t, chain(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-time.After(time.Minute)
			assert.Error(t, r.Context().Err())
		}), newOf(20*time.Second), timeout.New(timeout.Config{Limit: 10 * time.Second, Cooperative: true})),
			func(t *testing.T, s *testhttp.Server) {
				res := s.Get(t, "/")
				assert.Equal(t, http.StatusGatewayTimeout, res.Status)
				assert.InDelta(t, 20*time.Second, res.Took, float64(200*time.Millisecond), "HTTP/2 waits in place for the handler to come back")
			})
	})
}
