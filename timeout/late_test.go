package timeout_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// A write long after the deadline is refused, even if timers are late because every
// handler is busy: the client has its 504, and never a response that breaks off.
func TestLateWriteOfABusyHandler(t *testing.T) {
	const requests, rounds = 40, 5
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, timeout.New(timeout.Config{Limit: 30 * time.Millisecond})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				for now, end := time.Now(), time.Now().Add(80*time.Millisecond); now.Before(end); {
					now = time.Now()
				}
				_, err := io.WriteString(w, "late")
				assert.ErrorIs(t, err, http.ErrHandlerTimeout)
			})))
		s.Get(t, "/") // otherwise HTTP/2 dials many times
		for range rounds {
			var clients sync.WaitGroup
			for range requests {
				clients.Go(func() { assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status) })
			}
			clients.Wait()
		}
	})
}

// slowControl is a writer whose server takes its time to set a write deadline, as the
// goroutine of an HTTP/2 connection does on a busy machine.
type slowControl struct{ http.ResponseWriter }

func (w slowControl) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w slowControl) SetWriteDeadline(t time.Time) error {
	time.Sleep(limit)
	return http.NewResponseController(w.ResponseWriter).SetWriteDeadline(t)
}

// A handler that returned in time keeps its response, however long it then takes to
// set the write deadline of the end of the response.
func TestInTimeOnABusyConnection(t *testing.T) {
	for _, detach := range []bool{false, true} {
		t.Run(fmt.Sprintf("detached %v", detach), func(t *testing.T) {
			h := timeout.New(timeout.Config{Limit: limit, Detach: detach})(http.HandlerFunc(
				func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(limit - time.Millisecond)
					_, _ = io.WriteString(w, "in time")
				}))
			outside := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(slowControl{w}, r) })
			testhttp.HTTP2.InMemory(t, outside, func(t *testing.T, s *testhttp.Server) {
				got := s.Get(t, "/")
				require.NoError(t, got.Err)
				assert.Equal(t, http.StatusOK, got.Status)
				assert.Equal(t, "in time", got.Body)
			})
		})
	}
}
