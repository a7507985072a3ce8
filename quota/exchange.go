package quota

import (
	"net/http"

	"github.com/bulwark-go/bulwark/internal/answer"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

// All uses of package exchange are in this file.

// remark adds an error that did not make the request fail to the log record.
func remark(r *http.Request, err error) {
	if x := exchange.From(r.Context()); x != nil {
		x.Notes.Warn(err)
	}
}

// refuse answers a request that the handler does not get.
func (p *policy) refuse(w http.ResponseWriter, r *http.Request, e *Error, res Result) {
	exchange.Func(nil, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		x.Notes.Refuse(e)
		p.advise(w.Header(), res)
		x.Body().Linger()
		answer.Refuse(x, w, r, e, p.ErrorHandler, func(w http.ResponseWriter) {
			status := e.StatusCode()
			http.Error(w, http.StatusText(status), status)
		})
	}).ServeHTTP(w, r)
}

// ExchangeRouter lets a deadline outside find the route.
func (h *handler) ExchangeRouter() exchange.Router { return exchange.RouterOf(h.next) }

// ExchangeNext lets a deadline inside find out which middleware is around it.
func (h *handler) ExchangeNext() http.Handler { return h.next }

// handBack copies the route and the form from the handler's clone of the request
// back to the original. Tracing libraries read the route there, and the server
// removes the files of the form. handBack does nothing if the handler was
// abandoned, because it still uses the clone.
func handBack(r, inner *http.Request) {
	if x := exchange.From(r.Context()); x == nil || !x.Detached() {
		exchange.HandBack(inner, r)
	}
}
