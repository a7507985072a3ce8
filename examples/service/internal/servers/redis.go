//go:build unix

package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a Redis server started by the tests. It keeps its data in memory only.
func Redis(tb testing.TB) *Server {
	tb.Helper()
	wanted(tb)
	s, err := redisServer()
	need(tb, err)
	return s
}

// Cache empties the database with number db and returns its URL. Packages are
// tested concurrently, so each uses its own database.
func Cache(tb testing.TB, db int) string {
	tb.Helper()
	wanted(tb)
	url := os.Getenv("REDIS_URL")
	if url == "" {
		url = Redis(tb).URL
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	options.DB = db
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	if err := client.FlushDB(tb.Context()).Err(); err != nil {
		tb.Fatal(err)
	}
	return url + "?db=" + strconv.Itoa(db)
}

var redisServer = sync.OnceValues(func() (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("Redis %w", errAbsent)
	}
	dir, err := temporary(uint32(os.Getuid()))
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "redis://127.0.0.1:" + port, dir: dir}
	s.command = func() *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", dir) //nolint:gosec // the package's
		cmd.Dir = dir
		return cmd
	}
	s.answers = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
		defer func() { _ = client.Close() }()
		return client.Ping(ctx).Err()
	}
	return begin(s)
})
