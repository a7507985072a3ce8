// Package users is the service behind the three examples: a simulated store, its
// errors, and the decoding of a new user from a request. Status codes are in each
// example's error table.
package users

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"
)

// The errors that a client should see. Any other error of the store is only
// logged.
var (
	ErrNotFound = errors.New("users: no such user")
	ErrBadID    = errors.New("users: malformed id")
)

// User is what the service returns.
type User struct {
	ID      string `json:"-"`
	Message string `json:"message"`
}

// JSON returns the JSON that the client gets for the user.
func (u User) JSON() []byte {
	b, err := json.Marshal(u)
	if err != nil {
		panic(err) // two strings can always be encoded
	}
	return b
}

// Store is a simulated database. It is safe for concurrent use.
type Store struct {
	latency time.Duration
	created atomic.Int64
}

// NewStore returns a store. Every query takes latency.
func NewStore(latency time.Duration) *Store { return &Store{latency: latency} }

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Get looks a user up. Every user exists except for two ids: "404" is not found,
// and "boom" makes the database fail.
func (s *Store) Get(ctx context.Context, id string) (User, error) {
	if !validID.MatchString(id) {
		return User{}, fmt.Errorf("%w: %q", ErrBadID, id)
	}
	if err := s.query(ctx); err != nil {
		return User{}, fmt.Errorf("users: get %s: %w", id, err)
	}
	switch id {
	case "404":
		return User{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	case "boom":
		return User{}, errors.New("users: dial db-1.internal:5432: password authentication failed for svc_users")
	}
	return User{ID: id, Message: "User " + id}, nil
}

// Create stores a new user with a new id.
func (s *Store) Create(ctx context.Context, _ New) (User, error) {
	if err := s.query(ctx); err != nil {
		return User{}, fmt.Errorf("users: create: %w", err)
	}
	id := strconv.FormatInt(s.created.Add(1), 10)
	return User{ID: id, Message: "User " + id}, nil
}

// query takes latency and, like a database driver, fails when the context ends.
func (s *Store) query(ctx context.Context) error {
	t := time.NewTimer(s.latency)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
