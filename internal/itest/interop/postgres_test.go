package interop_test

import (
	"context"
	"database/sql"
	"net/http"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// database is the server of the queries.
type database struct {
	url    string
	active func() int // how many slow queries are running
}

// databases are the server of this package and, if DATABASE_URL names one, a
// PostgreSQL.
func databases(t *testing.T) map[string]database {
	t.Helper()
	pg := startPG(t)
	all := map[string]database{"protocol": {pg.url, pg.active}}
	if url := os.Getenv("DATABASE_URL"); url != "" {
		db, err := sql.Open("pgx", url)
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		all["PostgreSQL"] = database{url, func() (n int) {
			err := db.QueryRowContext(context.Background(), "select count(*) from pg_stat_activity where state = 'active' and query = '"+slow+"'").Scan(&n)
			if err != nil {
				return -1
			}
			return n
		}}
	}
	return all
}

// await waits until that many queries are running.
func (db database) await(t *testing.T, active int) {
	t.Helper()
	assert.Eventually(t, func() bool { return db.active() == active }, watchdog, limit/10)
}

// querier is a driver that queries one text.
type querier struct {
	name string
	open func(t *testing.T, url string) (ask func(ctx context.Context, query string) (string, error), hold func(t *testing.T) (release func()))
}

// Each has one connection.
var queriers = []querier{
	{"pgxpool", func(t *testing.T, url string) (func(context.Context, string) (string, error), func(*testing.T) func()) {
		t.Helper()
		cfg, err := pgxpool.ParseConfig(url)
		require.NoError(t, err)
		cfg.MaxConns = 1
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return func(ctx context.Context, query string) (name string, err error) {
				err = pool.QueryRow(ctx, query).Scan(&name)
				return name, err
			}, func(t *testing.T) func() {
				t.Helper()
				conn, err := pool.Acquire(t.Context())
				require.NoError(t, err)
				return conn.Release
			}
	}},
	{"database/sql", func(t *testing.T, url string) (func(context.Context, string) (string, error), func(*testing.T) func()) {
		t.Helper()
		db, err := sql.Open("pgx", url)
		require.NoError(t, err)
		db.SetMaxOpenConns(1)
		t.Cleanup(func() { _ = db.Close() })
		return func(ctx context.Context, query string) (name string, err error) {
				err = db.QueryRowContext(ctx, query).Scan(&name)
				return name, err
			}, func(t *testing.T) func() {
				t.Helper()
				conn, err := db.Conn(t.Context())
				require.NoError(t, err)
				return func() { _ = conn.Close() }
			}
	}},
}

const (
	quick = "select 'Ada'"
	slow  = "select pg_sleep(60)::text"
)

// TestDatabase: a query that waits ends with its request, in the driver and in the
// database, and with the right error. The next query can use the pool.
func TestDatabase(t *testing.T) {
	for name, db := range databases(t) {
		t.Run(name, func(t *testing.T) {
			for _, q := range queriers {
				t.Run(q.name, func(t *testing.T) { q.test(t, db) })
			}
		})
	}
}

func (q querier) test(t *testing.T, db database) {
	ask, hold := q.open(t, db.url)
	for _, tc := range []struct {
		desc     string
		deadline timeout.Config
		query    string
		held     bool // another client has the connection
		leaves   bool // the client
		status   int
		outcome  logging.Outcome
		want     error // the driver's
	}{
		{desc: "answer", query: quick, status: 200, outcome: logging.OutcomeOK},
		{desc: "deadline", deadline: timeout.Config{Limit: limit}, query: slow, status: 504, outcome: logging.OutcomeDeadline, want: context.DeadlineExceeded},
		{desc: "again", query: quick, status: 200, outcome: logging.OutcomeOK},
		// Here the response is to the driver's error.
		{desc: "cooperative deadline", deadline: timeout.Config{Limit: limit, Cooperative: true}, query: slow, status: 504, outcome: logging.OutcomeDeadline, want: context.DeadlineExceeded},
		{desc: "waiting for a connection", deadline: timeout.Config{Limit: limit}, query: quick, held: true, status: 504, outcome: logging.OutcomeDeadline, want: context.DeadlineExceeded},
		{desc: "client gone", query: slow, leaves: true, status: 499, outcome: logging.OutcomeClientGone, want: context.Canceled},
		{desc: "after all", query: quick, status: 200, outcome: logging.OutcomeOK},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			each(t, protocols, func(t *testing.T, p protocol) {
				if tc.held {
					defer hold(t)()
				}
				if tc.query == slow { // the deadline must not pass while the connection is made
					_, err := ask(t.Context(), quick)
					require.NoError(t, err)
				}
				ended := make(chan error, 1)
				st := stack{errs: mapper(), timeout: tc.deadline}
				s := st.serve(t, p, st.errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
					name, err := ask(r.Context(), tc.query)
					ended <- err
					if err == nil {
						_, err = w.Write([]byte(name))
					}
					return err
				}))
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if tc.leaves {
					go func() {
						db.await(t, 1)
						leave()
					}()
				}
				res := s.do(s.request(t, http.MethodGet, "/", nil).WithContext(ctx))
				require.ErrorIs(t, await(t, ended), tc.want)
				if !tc.leaves {
					require.NoError(t, res.err)
					assert.Equal(t, tc.status, res.status)
				}
				if tc.want == nil {
					assert.Equal(t, "Ada", res.body)
				}
				s.logged(t, tc.status, tc.outcome)
				db.await(t, 0)
			})
		})
	}
}
