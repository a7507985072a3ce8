package limits

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/bulwark-go/bulwark/internal/answer"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

// refuse answers a request that the handler does not get.
func (p *policy) refuse(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, err error) {
	x.Notes.Refuse(err)
	status := http.StatusRequestEntityTooLarge
	if e, ok := errors.AsType[*Error](err); ok {
		status = e.StatusCode()
		e.advise(w.Header())
	} else {
		x.Notes.SetBodyError(err)
		x.Response().CloseAfterReply()
	}
	x.Body().Linger()
	answer.Refuse(x, w, r, err, p.ErrorHandler, func(w http.ResponseWriter) {
		http.Error(w, http.StatusText(status), status)
	})
}

// advise sets the headers that tell the client how to retry.
func (e *Error) advise(h http.Header) {
	if e.Reason == ReasonCoding {
		h.Set("Accept-Encoding", acceptable)
	}
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(seconds(e.retryAfter), 10))
	}
}
