package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
		// What the error says may hold the password.
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

// migratePostgres locks, so that of replicas that start together one migrates
// and the others wait for it.
func migratePostgres(ctx context.Context, pool *pgxpool.Pool) error {
	if err := pool.Ping(ctx); err != nil { // a plainer error than goose's
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

// Create is a single statement where nothing is in the way: it is done or not
// done, whatever becomes of the connection, and of two with the same key that
// come together the later waits for the earlier.
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

func (p postgres) Close() { p.pool.Close() }

// postgresError marks what is wrong with the connection and not with what was
// asked: everything but the end of the context and what the server said of the
// statement. 08 and 57P are PostgreSQL's classes for connections that are lost
// and servers that go or come, 53 is for those that have no more to give.
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
