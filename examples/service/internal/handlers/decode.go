package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
)

// What can be wrong with a request before it is understood.
var (
	errBadID   = errors.New("malformed id")
	errBadKey  = errors.New("malformed idempotency key")
	errNotJSON = errors.New("body is not application/json")
)

// decode reads the body to its end before it parses it: a decoder stops at the
// closing brace, and what follows would be neither checked nor counted against
// the body's limit.
func decode(r *http.Request) (n domain.NewUser, err error) {
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return n, errNotJSON
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return n, fmt.Errorf("reading the body: %w", err)
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return n, fmt.Errorf("decoding the body: %w", err)
	}
	return n, n.Validate()
}

// idempotencyKey is the client's name for what it wants done once, "" where it
// has none: draft-ietf-httpapi-idempotency-key-header, without asking for its
// quotation marks.
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
