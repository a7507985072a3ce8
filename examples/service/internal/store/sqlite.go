package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
)

type sqlite struct{ db *sql.DB }

func openSQLite(ctx context.Context, file string) (Store, error) {
	options := url.Values{"_txlock": {"immediate"}, "_pragma": {"journal_mode(wal)", "synchronous(full)", "busy_timeout(1000)"}}
	db, err := sql.Open("sqlite", file+"?"+options.Encode())
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	// SQLite allows one writer at a time. With one connection, a query waits for
	// the connection, and stops waiting when its context ends. A wait for SQLite's
	// lock would not stop.
	db.SetMaxOpenConns(1)
	if err := migrate(ctx, goose.DialectSQLite3, db, "sqlite"); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("store: migrating %s: %w", file, err)
	}
	return sqlite{db}, nil
}

func (s sqlite) User(ctx context.Context, id int64) (u domain.User, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT id, name, email FROM users WHERE id = ?`, id).Scan(&u.ID, &u.Name, &u.Email)
	if errors.Is(err, sql.ErrNoRows) {
		return u, fmt.Errorf("%w: %d", domain.ErrNotFound, id)
	}
	return u, err
}

// Create takes effect when Commit succeeds. If the context ends before that, the
// transaction is rolled back.
func (s sqlite) Create(ctx context.Context, key string, n domain.NewUser) (u domain.User, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return u, err
	}
	defer func() { _ = tx.Rollback() }()
	u = domain.User{Name: n.Name, Email: n.Email}
	err = tx.QueryRowContext(ctx, `INSERT INTO users (name, email, idempotency_key) VALUES (?, ?, nullif(?, ''))
		ON CONFLICT DO NOTHING RETURNING id`, n.Name, n.Email, key).Scan(&u.ID)
	if err == nil {
		return u, tx.Commit()
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return u, err
	}
	err = tx.QueryRowContext(ctx, `SELECT id, name, email FROM users WHERE idempotency_key = ?`, key).Scan(&u.ID, &u.Name, &u.Email)
	if errors.Is(err, sql.ErrNoRows) {
		return u, domain.ErrEmailTaken
	}
	if err != nil {
		return u, err
	}
	return known(u, n)
}

func (s sqlite) Ping(ctx context.Context) error {
	var one int
	return s.db.QueryRowContext(ctx, `SELECT 1`).Scan(&one)
}

func (s sqlite) Close() { _ = s.db.Close() }
