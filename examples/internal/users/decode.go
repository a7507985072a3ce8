package users

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/mail"
	"strings"
	"unicode/utf8"

	"github.com/bulwark-go/bulwark/errmap"
)

// New is a user to be created.
type New struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// ErrNotJSON means that the body is of another media type.
var ErrNotJSON = errors.New("users: body is not application/json")

// InvalidError lists what is wrong with a user that was read without trouble.
type InvalidError struct{ Fields []errmap.FieldError }

func (e *InvalidError) Error() string {
	return fmt.Sprintf("users: %d invalid fields", len(e.Fields))
}

const maxName = 100

// Decode reads a new user from the body and validates it. The errors of
// reading and of encoding/json are passed on as they are, for the error table
// knows them. The body is read to its end before it is parsed: a decoder stops
// at the closing brace, and what follows would be neither checked nor counted
// against the body's limit.
func Decode(r *http.Request) (New, error) {
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return New{}, ErrNotJSON
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return New{}, fmt.Errorf("users: reading the body: %w", err)
	}
	var n New
	if err := json.Unmarshal(body, &n); err != nil {
		return New{}, fmt.Errorf("users: decoding the body: %w", err)
	}
	return n, n.validate()
}

func (n New) validate() error {
	var fields []errmap.FieldError
	switch name := strings.TrimSpace(n.Name); {
	case name == "":
		fields = append(fields, errmap.FieldError{Pointer: "/name", Detail: "is required"})
	case utf8.RuneCountInString(name) > maxName:
		fields = append(fields, errmap.FieldError{Pointer: "/name", Detail: fmt.Sprintf("has more than %d characters", maxName)})
	}
	if a, err := mail.ParseAddress(n.Email); err != nil || a.Address != n.Email {
		fields = append(fields, errmap.FieldError{Pointer: "/email", Detail: "is not an e-mail address"})
	}
	if fields == nil {
		return nil
	}
	return &InvalidError{fields}
}
