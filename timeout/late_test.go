package timeout_test

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

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
