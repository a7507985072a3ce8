package timeout_test

import (
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// observed records how requests ended, as package logging sees it: the ending, and
// later how a handler that outlived its request ended.
func observed(ended chan<- exchange.Ending, late chan<- lateEnd) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return exchange.Func(next, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.Observe(observer{ended, late})
			next.ServeHTTP(w, r)
		})
	}
}

type lateEnd struct {
	panicked any
	stack    string
}

type observer struct {
	ended chan<- exchange.Ending
	late  chan<- lateEnd
}

func (o observer) ID() string { return "" }

func (o observer) Ended(_ *exchange.Exchange, e exchange.Ending) {
	if o.ended != nil {
		o.ended <- e
	}
}

func (o observer) Late(_ *exchange.Exchange, panicked any, stack []byte) {
	if o.late != nil {
		o.late <- lateEnd{panicked, string(stack)}
	}
}
