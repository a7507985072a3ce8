package config_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/examples/service/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, yaml string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(yaml), 0o600))
	return path
}

func TestDefaults(t *testing.T) {
	cfg, err := config.Load(nil, nil)
	require.NoError(t, err)
	assert.Equal(t, config.Config{
		Log:        config.Log{Level: slog.LevelInfo},
		HTTP:       config.HTTP{Addr: ":8080", ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute},
		Debug:      config.Debug{Addr: "127.0.0.1:6060"},
		Request:    config.Request{Timeout: time.Second, MaxBodyBytes: 65536, MaxInFlight: 256, MaxQueue: 256},
		Quota:      config.Quota{Requests: 100, Per: time.Second, Burst: 200, Replicas: 1, Timeout: 20 * time.Millisecond},
		Database:   config.Database{URL: "sqlite:users.db", MaxConns: 16},
		Cache:      config.Cache{Share: 0.2, TTL: time.Minute},
		Reputation: config.Reputation{Timeout: 300 * time.Millisecond, Retries: 2, MaxResponseBytes: 65536},
		Shutdown:   config.Shutdown{Delay: time.Second, Timeout: 10 * time.Second},
	}, cfg)
}

// TestPrecedence: a later source overrides an earlier one.
func TestPrecedence(t *testing.T) {
	path := write(t, `
request: {timeout: 2s, max_in_flight: 2, max_queue: 2}
cache: {url: "redis://file", share: 1e-1}
log: {level: debug}
`)
	cfg, err := config.Load(
		[]string{"-config", path, "-request.timeout=4s", "--cache.share", "0.5"},
		[]string{"API_REQUEST_TIMEOUT=3s", "API_REQUEST_MAX_IN_FLIGHT=3", "REDIS_URL=redis://environment", "PATH=/bin", "OTEL_SERVICE_NAME=x"})
	require.NoError(t, err)
	assert.Equal(t, 4*time.Second, cfg.Request.Timeout, "flag")
	assert.Equal(t, 3, cfg.Request.MaxInFlight, "environment")
	assert.Equal(t, 2, cfg.Request.MaxQueue, "file")
	assert.Equal(t, int64(65536), cfg.Request.MaxBodyBytes, "default")
	assert.Equal(t, "redis://environment", cfg.Cache.URL.Reveal())
	assert.InDelta(t, 0.5, cfg.Cache.Share, 0)
	assert.Equal(t, slog.LevelDebug, cfg.Log.Level)
}

// TestProblems: all are reported at once, each by its name.
func TestProblems(t *testing.T) {
	path := write(t, `
htttp: {addr: x, idle: 1s}
http: {addr: nonsense, adr: ":80", idle_timeout: [1s]}
request: {timeout: 5, max_in_flight: 1.5, max_body_bytes: 0, max_queue: -1}
cache: {share: .nan, url: 3}
quota: {requests: 0, per: 0s, trusted_proxies: "10.0.0.0/8, 10.0.0.1"}
database: {url: "mysql://root:hunter2@db/x"}
reputation: 7
`)
	_, err := config.Load(
		[]string{"-config", path, "-port", "80", "-log.level", "loud", "hunter2", "-request.timeuot=3s", "-shutdown.delay", "1h", "-databaze.url", "hunter2"},
		[]string{"API_FOO=hunter2", "API_DATABASE_URL=postgres://x:hunter2@y", "API_CACHE_TTL=soon", "API_DEBUG_ADDR=0.0.0.0:6060"})
	require.Error(t, err)
	assert.Equal(t, []string{
		"flag provided but not defined: -port",
		"argument 7 belongs to no flag",
		"flag provided but not defined: -request.timeuot",
		"flag provided but not defined: -databaze.url",
		path + ": unknown key http.adr",
		path + ": unknown key htttp.addr",
		path + ": unknown key htttp.idle",
		path + ": reputation has settings below it, and no value",
		"unknown variable API_FOO in the environment",
		"unknown variable API_DATABASE_URL in the environment",
		"log.level is not a level: debug, info, warn or error: loud",
		"http.idle_timeout is not a time such as 250ms: [1s]",
		"request.timeout is not a time such as 250ms: 5",
		"request.max_in_flight is not a whole number: 1.5",
		"cache.url is not a text",
		"cache.ttl is not a time such as 250ms: soon",
		`http.addr must be HOST:PORT or :PORT, with a numeric port: "nonsense"`,
		"debug.addr must be on a loopback address",
		"request.max_body_bytes must be between 1 and 1073741824: 0",
		"request.max_queue must be between 0 and 1000000: -1",
		"quota.requests must be between 1 and 1000000: 0",
		"quota.per must be between 1ms and 24h0m0s: 0s",
		`quota.trusted_proxies must be comma-separated prefixes such as 10.0.0.0/8: "10.0.0.0/8, 10.0.0.1"`,
		"database.url must be a URL that begins with sqlite: or postgres: or postgresql:",
		"cache.share must be between 0.01 and 0.9: NaN",
		"shutdown.delay must be between 0s and 1m0s: 1h0m0s",
	}, strings.Split(err.Error(), "\n"))
}

func TestFile(t *testing.T) {
	for _, tc := range []struct{ desc, yaml, want string }{
		{"no YAML", "a: b: c", "mapping values are not allowed"},
		{"a list", "- a", "cannot unmarshal"},
		{"twice", "log: {level: info}\nlog: {level: warn}", "already defined"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			path := write(t, tc.yaml)
			_, err := config.Load([]string{"-config", path}, nil)
			require.ErrorContains(t, err, path)
			assert.ErrorContains(t, err, tc.want)
		})
	}
	_, err := config.Load([]string{"-config", "none.yaml", "-cache.ttl", "soon"}, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "cache.ttl")
	for _, yaml := range []string{"", "cache:\n  # all of it is commented out\nlog: {level: info}\n"} {
		cfg, err := config.Load([]string{"-config", write(t, yaml)}, nil)
		require.NoError(t, err)
		assert.InDelta(t, 0.2, cfg.Cache.Share, 0)
	}
}

func TestHelp(t *testing.T) {
	_, err := config.Load([]string{"-port", "80", "-h"}, nil)
	assert.ErrorIs(t, err, flag.ErrHelp)
}

// TestSecret: a secret is not printed, with settings of any kind and in any error.
func TestSecret(t *testing.T) {
	cfg, err := config.Load(nil, []string{"DATABASE_URL=postgres://u:hunter2@h/d", "REDIS_URL=redis://:hunter2@h", "API_REPUTATION_URL=https://u:hunter2@h"})
	require.NoError(t, err)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb+"\n", cfg)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", slog.Any("config", cfg))
	slog.New(slog.NewTextHandler(&out, nil)).Info("", slog.Any("config", cfg))
	require.NoError(t, json.NewEncoder(&out).Encode(cfg))
	assert.Contains(t, out.String(), "REDACTED")
	assert.NotContains(t, out.String(), "hunter2")
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", "hunter2"))

	for _, url := range []string{"postgres://u:hunter2#x@h:port/d", "postgres://u:hunter2@h:port/d", "hunter2", "redis://:hun ter2@[::", "://hunter2"} {
		_, err := config.Load(nil, []string{"DATABASE_URL=" + url, "REDIS_URL=" + url, "API_REPUTATION_URL=" + url})
		require.Error(t, err)
		assert.Len(t, strings.Split(err.Error(), "\n"), 3, err)
		for _, part := range []string{"hunter2", "hun ter2"} {
			assert.NotContains(t, err.Error(), part)
		}
	}
}
