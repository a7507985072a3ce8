//go:build wire

package faults_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestHeadBehindOtherStreams: while an HTTP/2 connection accepts nothing because of
// another stream, the deadline of a stream passes whose head waits for the connection.
// The record has the status if the client gets it.
func TestHeadBehindOtherStreams(t *testing.T) {
	const untilLogged = time.Hour
	for _, stall := range []time.Duration{0, 2 * limit, 5 * limit, untilLogged} {
		t.Run(stall.String(), func(t *testing.T) {
			t.Parallel()
			each(t, http2, stacks, outsides, func(t *testing.T, _ string, s *stack, o *outside) {
				ended := make(chan struct{})
				srv, records, g := gated(t, s, o, "~~~~", timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/first" {
						w.Header().Set("Marker", "~~~~")
						return
					}
					go func() {
						<-r.Context().Done()
						close(ended)
					}()
					_, _ = io.WriteString(w, "a word")
					_ = http.NewResponseController(w).Flush()
				}))
				c := raw.DialHTTP2(t, srv.Addr, 1<<20)
				first, err := c.Open(&raw.Request{Path: "/first"}, false)
				assert.NoError(t, err)
				await(t, g.held, "the head of the first stream")
				second, err := c.Open(&raw.Request{Path: "/second"}, false)
				assert.NoError(t, err)
				await(t, ended, "the end of the context")
				var seen []logging.Record
				switch {
				case stall != untilLogged:
					time.Sleep(stall)
				case s.logs:
					seen = append(seen, records.Next(t))
				}
				close(g.open)
				assert.Equal(t, 200, first.Receive(nil).Status)
				got := second.Receive(nil)
				if !s.logs {
					return
				}
				for len(seen) < 2 {
					seen = append(seen, records.Next(t))
				}
				for _, r := range seen {
					if r.Path == "/second" {
						assert.Equal(t, got.Status, r.Status, "%+v, the client got %+v", r, got)
						assert.Equal(t, logging.OutcomeDeadline, r.Outcome)
					}
				}
			})
		})
	}
}
