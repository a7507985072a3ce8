// Package domain is what the service is about. It knows nothing of HTTP, SQL or
// Redis.
package domain

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"
)

// What can be wrong with a request that was understood. Anything else that
// fails is the service's own trouble.
var (
	ErrNotFound   = errors.New("no such user")
	ErrEmailTaken = errors.New("a user with this e-mail address exists")
	ErrKeyReused  = errors.New("the idempotency key belongs to another user")
)

// ErrUnavailable means that the database cannot be reached, or has just been
// lost: the same request may well succeed in a moment.
var ErrUnavailable = errors.New("the database is unavailable")

// User is one who has been created.
type User struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// NewUser is one to be created.
type NewUser struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// FieldError is one thing wrong with a NewUser. Pointer is a JSON pointer.
type FieldError struct{ Pointer, Detail string }

// InvalidError is everything wrong with a NewUser.
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
	} else if strings.ContainsRune(n.Name, 0) { // PostgreSQL has no such text
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
