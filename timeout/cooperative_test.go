package timeout_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/timeout"
)

// Cooperative ends the context and leaves the answer to the handler, whenever
// that comes.
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
		})), func(t *testing.T, s *server) {
			res := s.get(t)
			assert.NoError(t, res.err)
			assert.Equal(t, http.StatusServiceUnavailable, res.status)
			assert.Equal(t, "my own words", res.body)
			assert.Equal(t, 15*time.Second, res.took)
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
			func(t *testing.T, s *server) {
				res := s.get(t)
				assert.Equal(t, http.StatusGatewayTimeout, res.status)
				assert.Equal(t, 20*time.Second, res.took)
			})
	})
}
