// Package answer writes the responses of refused requests.
package answer

import (
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/respwriter"
)

// Refuse calls handler, an ErrorHandler, to answer a refused request. If handler is
// nil or writes no final response, Refuse calls the function otherwise, because the
// server would send a 200.
func Refuse(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, err error,
	handler func(http.ResponseWriter, *http.Request, error), otherwise func(http.ResponseWriter),
) {
	x.Response().Refusing()
	if handler == nil {
		otherwise(w)
		return
	}
	if w == x.Response().Writer() {
		handler(w, r, err)
	} else {
		// A writer of other middleware may buffer the response, and the exchange
		// then does not see it.
		t := &tracker{respwriter.Tracker{ResponseWriter: w}}
		handler(t, r, err)
		if t.Status != 0 {
			return
		}
	}
	if s := x.Response().State(); s.Status == 0 && !s.Taken && !s.Closed {
		otherwise(w)
	}
}

// tracker is a Tracker with a Flush method for ErrorHandlers.
type tracker struct{ respwriter.Tracker }

// Flush implements http.Flusher.
func (t *tracker) Flush() { _ = t.FlushError() }
