//go:build unix

// Package redistest starts a Redis for tests.
//
// If REDIS_URL is set, tests use that server, and empty its database 13. Without
// REDIS_URL, and for tests that have to stop the server, the package starts
// redis-server (a Debian package) on a loopback port and in a temporary directory.
// If redis-server is not installed, the test is skipped, or fails if
// SERVERS=require is set. SERVERS=none skips all these tests.
package redistest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long to wait for an event that must happen.
const patience = 30 * time.Second

// database is the database at REDIS_URL that the tests may empty.
const database = 13

// Client returns a client of an empty database, with the options that f sets.
func Client(tb testing.TB, f func(*redis.Options)) *redis.Client {
	tb.Helper()
	wanted(tb)
	url := os.Getenv("REDIS_URL")
	if url == "" {
		return Start(tb).Client(tb, f)
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	o.DB = database
	c := client(tb, o, f)
	if err := c.FlushDB(context.Background()).Err(); err != nil {
		tb.Fatal(err)
	}
	return c
}

func client(tb testing.TB, o *redis.Options, f func(*redis.Options)) *redis.Client {
	tb.Helper()
	o.ContextTimeoutEnabled = true
	if f != nil {
		f(o)
	}
	c := redis.NewClient(o)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Server is a server that a test may stop. It ends with the test.
type Server struct {
	Addr string

	path, dir string
	flags     []string
	cmd       *exec.Cmd
	done      chan struct{}
}

// Start starts a server, with flags of redis-server.
func Start(tb testing.TB, flags ...string) *Server {
	tb.Helper()
	wanted(tb)
	path, err := exec.LookPath("redis-server")
	switch {
	case err != nil && os.Getenv("SERVERS") == "require":
		tb.Fatal("redis-server is not installed")
	case err != nil:
		tb.Skip("redis-server is not installed")
	}
	s := &Server{path: path, dir: tb.TempDir(), flags: flags}
	tb.Cleanup(s.Kill)
	for range 5 { // another process may take the port
		s.Addr = freeAddr(tb)
		if err = s.Start(); err == nil {
			return s
		}
		s.Kill()
	}
	tb.Fatal(err)
	return nil
}

// Client returns a client of the server, with the options that f sets.
func (s *Server) Client(tb testing.TB, f func(*redis.Options)) *redis.Client {
	tb.Helper()
	return client(tb, &redis.Options{Addr: s.Addr}, f)
}

// Start starts the server, also again after Kill, with an empty database. It
// returns when the server responds.
func (s *Server) Start() error {
	_, port, _ := strings.Cut(s.Addr, ":")
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.dir}, s.flags...)
	s.cmd = exec.CommandContext(context.Background(), s.path, args...) //nolint:gosec // the package's
	s.done = make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait() // it is killed
	}()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
	defer func() { _ = c.Close() }()
	return s.await(func() error {
		info, err := c.Info(context.Background(), "server").Result()
		if err == nil && !strings.Contains(info, fmt.Sprintf("\r\nprocess_id:%d\r\n", s.cmd.Process.Pid)) {
			err = fmt.Errorf("another server has %s", s.Addr)
		}
		return err
	})
}

// await calls f until it returns nil. It returns an error if the server ends first, or
// after patience.
func (s *Server) await(f func() error) error {
	for deadline := time.Now().Add(patience); ; {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("redis-server has ended: %s", s.cmd.ProcessState)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("redis-server is not ready: %w", err)
		}
	}
}

// Cluster starts two servers, each with half of the slots of a cluster, and returns a
// client of the cluster. It needs Redis 7.
func Cluster(tb testing.TB) *redis.ClusterClient {
	tb.Helper()
	const last = 16383 // the number of the last slot
	var slots []redis.ClusterSlot
	for _, r := range [][2]int{{0, last / 2}, {last/2 + 1, last}} {
		_, bus, _ := strings.Cut(freeAddr(tb), ":")
		s := Start(tb, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-require-full-coverage", "no")
		c := s.Client(tb, nil)
		if err := c.ClusterAddSlotsRange(context.Background(), r[0], r[1]).Err(); err != nil {
			tb.Fatal(err)
		}
		if err := s.await(func() error {
			info, err := c.ClusterInfo(context.Background()).Result()
			if err == nil && !strings.Contains(info, "cluster_state:ok") {
				err = fmt.Errorf("the cluster is not ready: %s", info)
			}
			return err
		}); err != nil {
			tb.Fatal(err)
		}
		slots = append(slots, redis.ClusterSlot{Start: r[0], End: r[1], Nodes: []redis.ClusterNode{{Addr: s.Addr}}})
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{
		ClusterSlots:          func(context.Context) ([]redis.ClusterSlot, error) { return slots, nil },
		ContextTimeoutEnabled: true,
	})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
}

// Pause makes the server hang: it accepts connections and does not respond.
func (s *Server) Pause() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

func wanted(tb testing.TB) {
	tb.Helper()
	if os.Getenv("SERVERS") == "none" {
		tb.Skip("SERVERS=none")
	}
}

// ports counts up, so that no two servers of the process have the same port.
var ports = func() *atomic.Int64 {
	var n atomic.Int64
	n.Store(rand.Int64N(numPorts))
	return &n
}()

// The ports are below those that systems give to outgoing connections, one of which
// could otherwise take the port of a server while it is stopped.
const (
	firstPort = 10_000
	numPorts  = 20_000
)

func freeAddr(tb testing.TB) string {
	tb.Helper()
	for range numPorts {
		addr := "127.0.0.1:" + strconv.FormatInt(firstPort+ports.Add(1)%numPorts, 10)
		if l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	tb.Fatal("no port is free")
	return ""
}
