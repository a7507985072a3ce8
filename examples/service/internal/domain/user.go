// Package domain has the service's users and their errors. It does not depend on
// HTTP, SQL or Redis.
package domain

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"
)

// The errors of a well-formed request. All other errors are the service's own.
var (
	ErrNotFound   = errors.New("no such user")
	ErrEmailTaken = errors.New("a user with this e-mail address exists")
	ErrKeyReused  = errors.New("the idempotency key belongs to another user")
)

// ErrUnavailable means that the database cannot be reached, or that the connection
// was lost. The same request may succeed soon.
var ErrUnavailable = errors.New("the database is unavailable")

// User is a user that was created.
type User struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// NewUser is a user to be created.
type NewUser struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// FieldError says what is wrong with one field of a NewUser. Pointer is a JSON
// pointer.
type FieldError struct{ Pointer, Detail string }

// InvalidError lists everything that is wrong with a NewUser.
type InvalidError struct{ Fields []FieldError }

func (e *InvalidError) Error() string { return fmt.Sprintf("%d invalid fields", len(e.Fields)) }

const (
	maxName  = 100
	maxEmail = 254 // RFC 5321 section 4.5.3.1.3, less the angle brackets
)

// Validate returns nil or an *InvalidError.
func (n NewUser) Validate() error {
	var fields []FieldError
	if text := strings.TrimSpace(n.Name); text == "" {
		fields = append(fields, FieldError{"/name", "is required"})
	} else if utf8.RuneCountInString(n.Name) > maxName {
		fields = append(fields, FieldError{"/name", fmt.Sprintf("has more than %d characters", maxName)})
	} else if strings.ContainsRune(n.Name, 0) { // PostgreSQL cannot store it
		fields = append(fields, FieldError{"/name", "has a NUL character"})
	}
	if a, err := mail.ParseAddress(n.Email); err != nil || a.Address != n.Email || len(n.Email) > maxEmail {
		fields = append(fields, FieldError{"/email", "is not an e-mail address"})
	}
	if fields == nil {
		return nil
	}
	return &InvalidError{fields}
}
