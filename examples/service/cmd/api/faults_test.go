//go:build unix

package main_test

import (
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/examples/service/internal/servers"
)

// These are the only responses that a client gets if something behind the service fails.
var (
	badGateway  = reply{502, `{"error":"bad gateway"}`}
	unavailable = reply{503, `{"error":"unavailable"}`}
	tooSlow     = reply{504, `{"error":"timeout"}`}
)

// count is how many users the database has.
func count(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM users`).Scan(&n))
	return n
}

// TestPostgresStops: while it is away every request gets a 503, and when it is back the
// service works again.
func TestPostgresStops(t *testing.T) {
	server := servers.Postgres(t)
	url := servers.Schema(t, server.URL)
	p := serve(t, []string{"DATABASE_URL=" + url}, "-request.timeout", "20s")
	l := start(p, "postgres")
	l.reach(t, 40)
	server.Kill()
	l.failing(t, unavailable)
	assert.Equal(t, unavailable, p.get(t, "/readyz").reply)
	assert.Equal(t, 200, p.get(t, "/livez").status)
	require.NoError(t, server.Start())
	l.end(t, unavailable)
	assert.Equal(t, 200, p.get(t, "/readyz").status)
	l.complete(t, p)
	assert.Equal(t, workers*each, count(t, url))
	p.stop(t)
}

// TestRedisFails: no client notices, whether it is dead or hangs, and when it is back it
// is used.
func TestRedisFails(t *testing.T) {
	server := servers.Redis(t)
	p := serve(t, []string{"DATABASE_URL=" + servers.Database(t), "REDIS_URL=" + server.URL}, "-request.timeout", "20s", "-cache.share", "0.01")
	for _, tc := range []struct {
		desc       string
		fail, mend func() error
	}{
		{"killed", func() error { server.Kill(); return nil }, server.Start},
		{"hanging", func() error { server.Pause(); return nil }, func() error { server.Resume(); return nil }},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			before := cached(t, p, "failed")
			l := start(p, tc.desc)
			l.reach(t, 40)
			require.NoError(t, tc.fail())
			l.end(t)
			l.complete(t, p)
			assert.Greater(t, cached(t, p, "failed"), before)
			require.NoError(t, tc.mend())
			hits := cached(t, p, "hit")
			require.Eventually(t, func() bool {
				return p.get(t, l.users[tc.desc+"-0-0"]).status == 200 && cached(t, p, "hit") > hits
			}, patience, 50*time.Millisecond)
		})
	}
	p.stop(t)
}

// cached returns how often a lookup in Redis had that result.
func cached(t *testing.T, p *process, result string) (n int) {
	t.Helper()
	for line := range strings.Lines(p.get(t, "/metrics").body) {
		if value, ok := strings.CutPrefix(line, `cache_lookups_total{result="`+result+`"} `); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			require.NoError(t, err)
			return n
		}
	}
	return 0
}

// TestTerminatedUnderLoad: clients that stop when the service is not ready lose nothing,
// and the next process continues where it ended.
func TestTerminatedUnderLoad(t *testing.T) {
	file := t.TempDir() + "/users.db"
	p := serve(t, []string{"DATABASE_URL=sqlite:" + file}, "-request.timeout", "20s", "-shutdown.delay", "3s")
	l := start(p, "term")
	l.reach(t, 40)
	p.signal(t, syscall.SIGTERM)
	p.await(t, func(l line) bool { return l.Message == "shutting down" })
	require.Equal(t, 503, p.get(t, "/readyz").status)
	l.drained.Store(true)
	l.end(t)
	code, stderr := p.exit(t)
	assert.Equal(t, 0, code)
	assert.Empty(t, stderr)

	next := serve(t, []string{"DATABASE_URL=sqlite:" + file})
	l.complete(t, next)
	next.stop(t)
}

// TestKilledUnderLoad: a client that got a 201 finds its user, and a client without a
// response may retry.
func TestKilledUnderLoad(t *testing.T) {
	file := t.TempDir() + "/users.db"
	p := serve(t, []string{"DATABASE_URL=sqlite:" + file})
	l := start(p, "kill")
	l.reach(t, 40)
	require.NoError(t, p.cmd.Process.Kill())
	l.drained.Store(true)
	l.done.Wait()

	next := serve(t, []string{"DATABASE_URL=sqlite:" + file})
	l.complete(t, next)
	next.stop(t)
}

// TestQueryEnds: when the client has its 504, the query has ended as well.
func TestQueryEnds(t *testing.T) {
	url := servers.Database(t)
	p := serve(t, []string{"DATABASE_URL=" + url}, "-request.timeout", "2s")
	user := p.mustCreate(t, "one", "one@example.org")
	running := servers.SlowUsers(t, url)
	answered := make(chan reply, 5)
	for range cap(answered) {
		go func() {
			a, err := p.do(p.request(http.MethodGet, user, ""))
			assert.NoError(t, err)
			answered <- a.reply
		}()
	}
	require.Eventually(t, running(1), patience, 5*time.Millisecond, "one for all who ask")
	for range cap(answered) {
		assert.Equal(t, tooSlow, <-answered)
	}
	require.Eventually(t, running(0), patience, 5*time.Millisecond)
	p.stop(t)
}
