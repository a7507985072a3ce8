//go:build wire

package faults_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestShutdownWithAStuckHandler: Server.Shutdown does not wait for a handler that is
// stuck past its deadline, whatever happened before.
func TestShutdownWithAStuckHandler(t *testing.T) {
	for _, tt := range []struct {
		desc   string
		do     func(http.ResponseWriter, *http.Request)
		leaves bool // the client leaves while do runs
	}{
		{"nothing done", func(http.ResponseWriter, *http.Request) {}, false},
		{"a response under way", func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() }, false},
		{"an aborted response", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			errs.Write(w, r, errUnknown)
		}, false},
		{"a disconnect", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true},
		{"a failed write", func(w http.ResponseWriter, _ *http.Request) {
			for piece := make([]byte, 16<<10); ; {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}, true},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			each(t, every, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				entered, release := make(chan struct{}), make(latch)
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					close(entered)
					tt.do(w, r)
					<-release
				}))
				t.Cleanup(release.open)
				c := raw.Dial(t, srv.Addr, proto)
				c.Send(t, &raw.Request{})
				await(t, entered, "the handler")
				if tt.leaves {
					_ = c.Close()
				}
				ctx, cancel := context.WithTimeout(t.Context(), raw.Patience)
				defer cancel()
				assert.NoError(t, srv.Shutdown(ctx))
				assert.False(t, release.isOpen(), "the handler is still stuck")
				release.open()
				if s.logs {
					records.Next(t)
					alone(t, records)
				}
			})
		})
	}
}
