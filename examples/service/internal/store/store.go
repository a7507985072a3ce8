// Package store keeps users in PostgreSQL or, without any installation, in an
// SQLite file. Both end a query when its context ends.
package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
)

// Store is safe for concurrent use.
type Store interface {
	// User returns domain.ErrNotFound if there is no such user.
	User(ctx context.Context, id int64) (domain.User, error)

	// Create stores one user for each key. If it is called again with the same key
	// and the same user, it returns the user that was created. If it is called with
	// the same key and another user, it returns domain.ErrKeyReused. Calls without
	// a key ("") are not recorded. If the e-mail address belongs to another user,
	// it returns domain.ErrEmailTaken.
	Create(ctx context.Context, key string, n domain.NewUser) (domain.User, error)

	// Ping checks that the database responds.
	Ping(ctx context.Context) error

	// Close closes all connections. If the database does not respond, it returns
	// after two seconds.
	Close()
}

// Open connects to the database at url, sqlite:FILE or postgres://…, and applies
// the migrations. No error contains the url. maxConns is for PostgreSQL only.
func Open(ctx context.Context, url string, maxConns int) (Store, error) {
	if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return openSQLite(ctx, file)
	}
	return openPostgres(ctx, url, maxConns)
}

// known returns the user of a key that was used before, or domain.ErrKeyReused if
// the key was used for another user.
func known(u domain.User, n domain.NewUser) (domain.User, error) {
	if u.Name != n.Name || u.Email != n.Email {
		return domain.User{}, fmt.Errorf("%w: %d", domain.ErrKeyReused, u.ID)
	}
	return u, nil
}
