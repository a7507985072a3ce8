package limits

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// refuse answers a request that the handler does not get to see.
func (p *policy) refuse(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, err error) {
	x.Refuse(err)
	status := http.StatusRequestEntityTooLarge
	if e, ok := errors.AsType[*Error](err); ok {
		status = e.StatusCode()
		e.advise(w.Header())
	} else {
		x.SetBodyError(err)
		x.CloseAfterReply()
	}
	x.Linger()
	if p.ErrorHandler != nil {
		p.ErrorHandler(w, r, err)
		return
	}
	http.Error(w, http.StatusText(status), status)
}

// advise sets the headers by which a client does better the next time.
func (e *Error) advise(h http.Header) {
	if e.Reason == ReasonCoding {
		h.Set("Accept-Encoding", acceptable)
	}
	if e.retryAfter > 0 {
		seconds := (e.retryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
}
