package handlers

import (
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
	"github.com/bulwark-go/bulwark/examples/service/internal/reputation"
)

// table is what an error means to a client. What is not listed is a 500, and
// its text stays in the log; deadlines, limits and bad JSON are known already.
func table() *errmap.Mapper {
	return errmap.New(errmap.Config{
		Render: errmap.ErrorJSON,
		Rules: []errmap.Rule{
			errmap.Is(errBadID, errmap.Problem{Status: http.StatusBadRequest, Title: "invalid id"}),
			errmap.Is(errBadKey, errmap.Problem{Status: http.StatusBadRequest, Title: "invalid idempotency key"}),
			errmap.Is(errNotJSON, errmap.Problem{Status: http.StatusUnsupportedMediaType, Title: "not application/json"}),
			errmap.As(func(e *domain.InvalidError) errmap.Problem {
				return errmap.Problem{Status: http.StatusUnprocessableEntity, Title: "invalid user", Fields: fields(e)}
			}),
			errmap.Is(domain.ErrNotFound, errmap.Problem{Status: http.StatusNotFound, Title: "not found"}),
			errmap.Is(domain.ErrEmailTaken, errmap.Problem{Status: http.StatusConflict, Title: "e-mail address is taken"}),
			errmap.Is(domain.ErrKeyReused, errmap.Problem{Status: http.StatusUnprocessableEntity, Title: "idempotency key was used for another user"}),
			errmap.Is(domain.ErrUnavailable, errmap.Problem{Status: http.StatusServiceUnavailable, Title: "unavailable", RetryAfter: time.Second}),
			errmap.Is(errNotReady, errmap.Problem{Status: http.StatusServiceUnavailable, Title: "not ready"}),
			errmap.Is(reputation.ErrUnavailable, errmap.Problem{Status: http.StatusBadGateway, Title: "bad gateway"}),
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
