//go:build unix

package main_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWrongUse: all mistakes are reported at once, and nothing starts.
func TestWrongUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(file, []byte("http: {adr: ':80'}\nrequest: {timeout: 5, max_in_flight: 0}\n"), 0o600))
	p := launch(t, []string{"API_FOO=1", "DATABASE_URL=mysql://root:hunter2@db/x"}, "-config", file, "-port", "80")
	code, stderr := p.exit(t)
	assert.Equal(t, 2, code)
	assert.Equal(t, []string{
		"flag provided but not defined: -port",
		file + ": unknown key http.adr",
		"unknown variable API_FOO in the environment",
		"request.timeout is not a time such as 250ms: 5",
		"request.max_in_flight must be between 1 and 1000000: 0",
		"database.url must be a URL that begins with sqlite: or postgres: or postgresql:",
		"",
	}, strings.Split(stderr, "\n"))
	assert.Zero(t, p.count(func(line) bool { return true }))
}

func TestHelp(t *testing.T) {
	p := launch(t, nil, "-h")
	code, stderr := p.exit(t)
	assert.Equal(t, 0, code)
	assert.Empty(t, stderr)
	for _, want := range []string{"usage: api", "max_in_flight: 256"} {
		assert.Equal(t, 1, p.count(func(l line) bool { return strings.Contains(l.raw, want) }), want)
	}
}

// TestCannotStart: one line has the reason, and no password.
func TestCannotStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	busy := l.Addr().String()
	for _, tc := range []struct {
		desc    string
		environ []string
		args    []string
		want    string
	}{
		{"port", nil, []string{"-http.addr", busy}, "address already in use"},
		{"port of pprof", nil, []string{"-debug.addr", busy}, "address already in use"},
		{"database", []string{"DATABASE_URL=postgres://svc:hunter2@127.0.0.1:1/db"}, nil, "connection refused"},
		{"URL of the database", []string{"DATABASE_URL=postgres://svc:hunter2@127.0.0.1/db?sslmode=perhaps"}, nil, "is not a URL of PostgreSQL"},
		{"URL of Redis", []string{"REDIS_URL=redis://:hunter2@127.0.0.1/x"}, nil, "is not a URL of Redis"},
		{"file", []string{"DATABASE_URL=sqlite:/nonexistent/users.db"}, nil, "unable to open database file"},
		{"traces", []string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, nil, "OTEL_EXPORTER_OTLP_PROTOCOL"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			p := launch(t, tc.environ, append([]string{"-http.addr", "127.0.0.1:0", "-debug.addr", "", "-log.level", "debug"}, tc.args...)...)
			code, stderr := p.exit(t)
			assert.Equal(t, 1, code)
			assert.Empty(t, stderr)
			assert.Equal(t, 1, p.count(func(l line) bool { return l.Level == "ERROR" && strings.Contains(l.Error, tc.want) }), p.tail())
			assert.NotContains(t, p.tail(), "hunter2")
			assert.NotContains(t, p.tail(), `"listening"`)
		})
	}
}
