package handlers

import (
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
	"github.com/bulwark-go/bulwark/examples/service/internal/reputation"
)

// table maps errors to responses. Any other error is a 500, and its text is only
// logged. There are built-in rules for deadlines, limits and bad JSON.
func table() *errmap.Mapper {
	return errmap.New(errmap.Config{
		Render: errmap.ErrorJSON,
		Rules: []errmap.Rule{
			errmap.Is(errBadID, errmap.Problem{Status: http.StatusBadRequest, Detail: "invalid id"}),
			errmap.Is(errBadKey, errmap.Problem{Status: http.StatusBadRequest, Detail: "invalid idempotency key"}),
			errmap.As(func(e *domain.InvalidError) errmap.Problem {
				return errmap.Problem{Status: http.StatusUnprocessableEntity, Detail: "invalid user", Fields: fields(e)}
			}),
			errmap.Is(domain.ErrNotFound, errmap.Problem{Status: http.StatusNotFound, Detail: "not found"}),
			errmap.Is(domain.ErrEmailTaken, errmap.Problem{Status: http.StatusConflict, Detail: "e-mail address is taken"}),
			errmap.Is(domain.ErrKeyReused, errmap.Problem{Status: http.StatusUnprocessableEntity, Detail: "idempotency key was used for another user"}),
			errmap.Is(domain.ErrUnavailable, errmap.Problem{Status: http.StatusServiceUnavailable, Detail: "unavailable", RetryAfter: time.Second}),
			errmap.Is(errNotReady, errmap.Problem{Status: http.StatusServiceUnavailable, Detail: "not ready"}),
			errmap.Is(reputation.ErrUnavailable, errmap.Problem{Status: http.StatusBadGateway, Detail: "bad gateway"}),
		},
	})
}

func fields(e *domain.InvalidError) []errmap.FieldError {
	var all []errmap.FieldError
	for _, f := range e.Fields {
		all = append(all, errmap.FieldError(f))
	}
	return all
}
