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

// A logging middleware inside of a deadline that has passed before it got its
// turn still has its line, once, with the end that the client saw.
func TestObserverThatComesTooLate(t *testing.T) {
	for _, early := range []bool{false, true} {
		first, second := newObserver(), newObserver()
		h := timeout.New(timeout.Config{Limit: time.Millisecond})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			x := exchange.From(r.Context())
			if early {
				x.Observe(first)
			}
			<-r.Context().Done()
			for x.Wire().Status == 0 { // the answer is on its way
				runtime.Gosched()
			}
			x.Observe(second)
		}))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Equal(t, http.StatusGatewayTimeout, rec.Code)
		e := second.ending(t)
		assert.True(t, e.Deadline)
		assert.Equal(t, http.StatusGatewayTimeout, e.Status)
		assert.Empty(t, second.ended, "told twice")
		if early {
			first.ending(t)
			assert.Empty(t, first.ended, "told twice")
		}
	}
}
