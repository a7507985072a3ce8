package exchange_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/timeout"
)

// A logging middleware inside a deadline that has passed before the request reached it
// logs the request once, with the end that the client saw.
func TestObserverAddedAfterTheDeadline(t *testing.T) {
	for _, early := range []bool{false, true} {
		first, second := newObserver(), newObserver()
		h := timeout.New(timeout.Config{Limit: time.Millisecond})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			x := exchange.From(r.Context())
			if early {
				x.Observe(first)
			}
			<-r.Context().Done()
			for x.Response().State().Status == 0 { // the answer is on its way
				runtime.Gosched()
			}
			x.Observe(second)
		}))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Equal(t, http.StatusGatewayTimeout, rec.Code)
		e := second.ending(t)
		assert.Equal(t, exchange.DeadlineHit, e.Outcome)
		assert.Equal(t, http.StatusGatewayTimeout, e.Status)
		assert.Empty(t, second.ended, "reported twice")
		if early {
			first.ending(t)
			assert.Empty(t, first.ended, "reported twice")
		}
	}
}
