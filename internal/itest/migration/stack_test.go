package migration_test

import (
	"io"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

const (
	limit   = time.Second
	maxBody = 64 << 10
)

// User is what clients send.
type User struct {
	Name string `json:"name"`
}

var errs = errmap.New(errmap.Config{Rules: []errmap.Rule{
	// The errors of encoding/json for an empty and a truncated body. In a service
	// that reads more than bodies, use them only on the routes that decode: errs.With.
	errmap.Is(io.EOF, errmap.Problem{Status: http.StatusBadRequest}),
	errmap.Is(io.ErrUnexpectedEOF, errmap.Problem{Status: http.StatusBadRequest}),
}})

func stack(inner http.Handler) http.Handler {
	return bulwark.Chain(
		logging.New(logging.Config{}),
		timeout.New(timeout.Config{Limit: limit, ErrorHandler: errs.Write}),
		limits.New(limits.Config{MaxBodyBytes: maxBody, MaxInFlight: 100, ErrorHandler: errs.Write}),
		errs.Recover,
	)(inner)
}
