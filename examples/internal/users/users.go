// Package users is the service behind the three examples: a simulated store,
// the errors it can fail with, and the reading of a new user from a request.
// It knows nothing of status codes; each example's error table does.
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

// What the store refuses. Everything else that it fails with is nobody's
// business but the log's.
var (
	ErrNotFound = errors.New("users: no such user")
	ErrBadID    = errors.New("users: malformed id")
)

// User is what the service returns.
type User struct {
	ID      string `json:"-"`
	Message string `json:"message"`
}

// JSON is the user as it goes over the wire.
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

// NewStore returns a store whose every query takes latency.
func NewStore(latency time.Duration) *Store { return &Store{latency: latency} }

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Get looks a user up. Everybody exists, but for two ids that play a part:
// "404" is not found, and with "boom" the database fails.
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

// Create stores a new user under an id of its own.
func (s *Store) Create(ctx context.Context, _ New) (User, error) {
	if err := s.query(ctx); err != nil {
		return User{}, fmt.Errorf("users: create: %w", err)
	}
	id := strconv.FormatInt(s.created.Add(1), 10)
	return User{ID: id, Message: "User " + id}, nil
}

// query takes its time, and as a database driver does, gives up with the context.
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
