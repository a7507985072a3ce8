//go:build unix

package servers

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server started by the tests.
func Postgres(tb testing.TB) *Server {
	tb.Helper()
	wanted(tb)
	s, err := postgres()
	need(tb, err)
	return s
}

// Database returns the URL of an empty schema, which is dropped at the end of the
// test.
func Database(tb testing.TB) string {
	tb.Helper()
	wanted(tb)
	server := os.Getenv("DATABASE_URL")
	if server == "" {
		server = Postgres(tb).URL
	}
	return Schema(tb, server)
}

var schemas atomic.Int64

// Schema is like Database, but on the given server.
func Schema(tb testing.TB, server string) string {
	tb.Helper()
	name := fmt.Sprintf("service_%d_%d", os.Getpid(), schemas.Add(1))
	execute(tb, server, "CREATE SCHEMA "+name)
	tb.Cleanup(func() { execute(tb, server, "DROP SCHEMA "+name+" CASCADE") })
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// SlowUsers makes lookups in the table users of a database take ten minutes. running
// returns whether n of them are running.
func SlowUsers(tb testing.TB, database string) (running func(n int) func() bool) {
	tb.Helper()
	execute(tb, database, `ALTER TABLE users RENAME TO people`)
	execute(tb, database, `CREATE VIEW users AS SELECT id, name, email FROM people, (SELECT pg_sleep(600)) AS slow`)
	conn, err := pgx.Connect(tb.Context(), database)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	return func(want int) func() bool {
		return func() bool {
			var n int
			err := conn.QueryRow(tb.Context(), `SELECT count(*) FROM pg_stat_activity
				WHERE state = 'active' AND wait_event = 'PgSleep' AND query LIKE '%FROM users%'`).Scan(&n)
			return err == nil && n == want
		}
	}
}

func execute(tb testing.TB, server, statement string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		tb.Fatal(err)
	}
}

// PostgreSQL refuses to run as root. If the tests run as root, it runs as the user
// of the Debian package.
var postgres = sync.OnceValues(func() (*Server, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	who, err := postgresUser()
	if err != nil {
		return nil, err
	}
	dir, err := temporary(who.Uid)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	as := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), filepath.Join(bin, name), args...) //nolint:gosec // the package's
		cmd.Dir = dir
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
		}
		return cmd
	}
	if out, err := as("initdb", "-D", dir, "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	s := &Server{URL: "postgres://test@127.0.0.1:" + port + "/postgres?sslmode=disable", dir: dir}
	s.command = func() *exec.Cmd {
		return as("postgres", "-D", dir, "-c", "listen_addresses=127.0.0.1", "-c", "port="+port, "-c", "unix_socket_directories=", "-c", "fsync=off")
	}
	s.answers = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, s.URL)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	}
	return begin(s)
})

// postgresBin returns the directory of initdb. On Debian it is not in PATH.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		path, err = filepath.EvalSymlinks(path)
		return filepath.Dir(path), err
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL %w", errAbsent)
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func postgresUser() (*syscall.Credential, error) {
	if uid := os.Getuid(); uid != 0 {
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(os.Getgid())}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL for root %w: %w", errAbsent, err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	// The groups of this process let it pass through directories that are not open to
	// all users.
	groups := []uint32{uint32(os.Getgid())}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: groups}, err
}
