package timeout_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// database is a driver whose queries never end.
type database struct{}

func (database) Connect(context.Context) (driver.Conn, error) { return database{}, nil }
func (database) Driver() driver.Driver                        { return nil }
func (database) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (database) Close() error                                 { return nil }
func (database) Begin() (driver.Tx, error)                    { return database{}, nil }
func (database) Commit() error                                { return nil }
func (database) Rollback() error                              { return nil }

func (database) QueryContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Rows, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// The context works with what uses a request's context: it ends calls of database/sql,
// of net/http, and of a driver that moves the deadline of its connection as pgx does.
func TestContextAsParent(t *testing.T) {
	stuck := make(chan struct{})
	upstream := variants[0].start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
	t.Cleanup(func() { close(stuck) })
	for _, tc := range []struct {
		desc string
		call func(*testing.T, context.Context) error
	}{
		{"database/sql: a query", func(t *testing.T, ctx context.Context) error {
			db := sql.OpenDB(database{})
			defer db.Close()
			rows, err := db.QueryContext(ctx, "SELECT pg_sleep(3600)")
			if err == nil {
				assert.NoError(t, rows.Close())
				err = rows.Err()
			}
			return err
		}},
		{"database/sql: a transaction", func(t *testing.T, ctx context.Context) error {
			db := sql.OpenDB(database{})
			defer db.Close()
			tx, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			rows, err := tx.QueryContext(ctx, "SELECT pg_sleep(3600)")
			if err == nil {
				assert.NoError(t, rows.Close())
				err = rows.Err()
			}
			_ = tx.Rollback() // database/sql may have been faster
			return err
		}},
		{"net/http: a request", func(t *testing.T, ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, upstream.URL, http.NoBody)
			require.NoError(t, err)
			res, err := upstream.Client().Do(req)
			if err == nil {
				_ = res.Body.Close()
			}
			return err
		}},
		{"net: a connection", func(_ *testing.T, ctx context.Context) error {
			client, server := net.Pipe()
			defer server.Close()
			defer context.AfterFunc(ctx, func() { _ = client.SetDeadline(time.Unix(1, 0)) })()
			_, err := io.ReadAll(client)
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return err
		}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, v variant) {
				t.Parallel()
				errs := make(chan error, 1)
				s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
					func(_ http.ResponseWriter, r *http.Request) { errs <- tc.call(t, r.Context()) })))
				assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
				assert.ErrorIs(t, testhttp.Await(t, errs, "the end of the call"), context.DeadlineExceeded)
			})
		})
	}
}
