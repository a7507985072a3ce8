package handlers

import (
	"errors"
	"net/http"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
)

// The errors of a malformed request.
var (
	errBadID  = errors.New("malformed id")
	errBadKey = errors.New("malformed idempotency key")
)

// decode reads a new user from the body and validates it.
func decode(r *http.Request) (n domain.NewUser, err error) {
	if err := errmap.DecodeJSON(r, &n); err != nil {
		return n, err
	}
	return n, n.Validate()
}

// idempotencyKey returns the Idempotency-Key
// (draft-ietf-httpapi-idempotency-key-header), or "" if there is none. The
// quotation marks around the value are optional here.
func idempotencyKey(r *http.Request) (string, error) {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return "", nil
	}
	key := keys[0]
	if len(keys) > 1 || key == "" || len(key) > 255 {
		return "", errBadKey
	}
	for _, c := range []byte(key) {
		if c < ' ' || c > '~' {
			return "", errBadKey
		}
	}
	return key, nil
}
