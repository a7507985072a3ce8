package timeout_test

import (
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// observed tells how requests ended, as package logging sees it: the ending,
// and later what became of a handler that outlived its request.
func observed(ended chan<- exchange.Ending, late chan<- lateEnd) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x, w, r, owner := exchange.Enter(w, r)
			x.Observe(observer{ended, late})
			if owner {
				defer x.Leave()
			}
			next.ServeHTTP(w, r)
			if owner {
				x.Returned()
			}
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
