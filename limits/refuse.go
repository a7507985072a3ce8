package limits

import (
	"errors"
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// refuse answers a request that the handler does not get to see.
func (p *policy) refuse(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, err error) {
	x.Refuse(err)
	status := statusOf(err)
	if status == http.StatusRequestEntityTooLarge {
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

func statusOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.StatusCode()
	}
	return http.StatusRequestEntityTooLarge
}
