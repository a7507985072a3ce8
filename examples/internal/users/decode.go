package users

import (
	"fmt"
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

// InvalidError lists what is wrong with a user that could be decoded.
type InvalidError struct{ Fields []errmap.FieldError }

func (e *InvalidError) Error() string {
	return fmt.Sprintf("users: %d invalid fields", len(e.Fields))
}

const maxName = 100

// Decode reads a new user from the body and validates it.
func Decode(r *http.Request) (New, error) {
	var n New
	if err := errmap.DecodeJSON(r, &n); err != nil {
		return New{}, err
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
