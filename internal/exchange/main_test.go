package exchange_test

import (
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = 60 * time.Millisecond

// entering makes an exchange for every request, and calls f with it first.
func entering(f func(*exchange.Exchange)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return exchange.Func(next, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			if f != nil {
				f(x)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// observer passes on what is reported to it.
type observer struct {
	ended chan exchange.Ending
	late  chan any
}

func newObserver() *observer {
	return &observer{make(chan exchange.Ending, 8), make(chan any, 8)}
}

func (o *observer) ID() string                                    { return "" }
func (o *observer) Ended(_ *exchange.Exchange, e exchange.Ending) { o.ended <- e }
func (o *observer) Late(_ *exchange.Exchange, v any, _ []byte)    { o.late <- v }

func (o *observer) watch(next http.Handler) http.Handler {
	return entering(func(x *exchange.Exchange) { x.Observe(o) })(next)
}

func (o *observer) ending(t *testing.T) exchange.Ending {
	t.Helper()
	return testhttp.Await(t, o.ended, "an ending")
}
