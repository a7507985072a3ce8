package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
)

type postgres struct{ pool *pgxpool.Pool }

func openPostgres(ctx context.Context, url string, maxConns int) (Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The error may contain the password.
		return nil, errors.New("store: database.url is not a URL of PostgreSQL")
	}
	cfg.MaxConns = int32(maxConns)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := migratePostgres(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("store: migrating: %w", err)
	}
	return postgres{pool}, nil
}

// migratePostgres takes a lock. If several replicas start together, one migrates
// and the others wait.
func migratePostgres(ctx context.Context, pool *pgxpool.Pool) error {
	if err := pool.Ping(ctx); err != nil { // its error is clearer than goose's
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer func() { _ = db.Close() }() // the pool stays open
	return migrate(ctx, goose.DialectPostgres, db, "postgres", goose.WithSessionLocker(locker))
}

func (p postgres) User(ctx context.Context, id int64) (u domain.User, err error) {
	err = p.pool.QueryRow(ctx, `SELECT id, name, email FROM users WHERE id = $1`, id).Scan(&u.ID, &u.Name, &u.Email)
	if errors.Is(err, pgx.ErrNoRows) {
		return u, fmt.Errorf("%w: %d", domain.ErrNotFound, id)
	}
	return u, postgresError(err)
}

// Create uses a single statement unless there is a conflict, so it is atomic even
// if the connection is lost. If two calls with the same key run at the same time,
// the second waits for the first.
func (p postgres) Create(ctx context.Context, key string, n domain.NewUser) (domain.User, error) {
	u := domain.User{Name: n.Name, Email: n.Email}
	err := p.pool.QueryRow(ctx, `INSERT INTO users (name, email, idempotency_key) VALUES ($1, $2, nullif($3, ''))
		ON CONFLICT DO NOTHING RETURNING id`, n.Name, n.Email, key).Scan(&u.ID)
	if !errors.Is(err, pgx.ErrNoRows) {
		return u, postgresError(err)
	}
	err = p.pool.QueryRow(ctx, `SELECT id, name, email FROM users WHERE idempotency_key = $1`, key).Scan(&u.ID, &u.Name, &u.Email)
	if errors.Is(err, pgx.ErrNoRows) {
		return u, domain.ErrEmailTaken
	}
	if err != nil {
		return u, postgresError(err)
	}
	return known(u, n)
}

func (p postgres) Ping(ctx context.Context) error { return postgresError(p.pool.Ping(ctx)) }

// closeLimit bounds Close. To close a connection whose query was canceled, pgx first
// tells the server to cancel the query, and waits up to 15 seconds for an answer. A
// process that shuts down has less time.
const closeLimit = 2 * time.Second

func (p postgres) Close() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		p.pool.Close()
	}()
	select {
	case <-closed:
	case <-time.After(closeLimit):
	}
}

// postgresError marks all errors as unavailable except the end of the context and
// errors of the statement. The server's error classes 08 and 57P mean lost
// connections and servers that start or stop, and 53 means insufficient resources.
func postgresError(err error) error {
	var said *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &said) && !strings.HasPrefix(said.Code, "08") && !strings.HasPrefix(said.Code, "53") && !strings.HasPrefix(said.Code, "57P"):
		return err
	}
	return fmt.Errorf("%w: %w", domain.ErrUnavailable, err)
}
