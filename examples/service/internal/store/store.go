// Package store keeps users in PostgreSQL or, where nothing is installed, in a
// file of SQLite. Both end a query when its context ends.
package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
)

// Store is safe for concurrent use.
type Store interface {
	// User returns domain.ErrNotFound where there is none.
	User(ctx context.Context, id int64) (domain.User, error)

	// Create stores a user once for each key, however often it is called: with
	// the same key and the same user it returns who was created, with another
	// user domain.ErrKeyReused. Without a key ("") nothing is remembered. A
	// second user with an e-mail address is domain.ErrEmailTaken.
	Create(ctx context.Context, key string, n domain.NewUser) (domain.User, error)

	// Ping asks whether the database answers.
	Ping(ctx context.Context) error

	Close()
}

// Open connects to the database at url, sqlite:FILE or postgres://…, and brings
// it up to date. No error shows the url. maxConns is PostgreSQL's.
func Open(ctx context.Context, url string, maxConns int) (Store, error) {
	if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return openSQLite(ctx, file)
	}
	return openPostgres(ctx, url, maxConns)
}

// known tells a user whose key was seen before apart from another with the key.
func known(u domain.User, n domain.NewUser) (domain.User, error) {
	if u.Name != n.Name || u.Email != n.Email {
		return domain.User{}, fmt.Errorf("%w: %d", domain.ErrKeyReused, u.ID)
	}
	return u, nil
}
