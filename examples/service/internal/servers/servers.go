//go:build unix

// Package servers provides PostgreSQL and Redis servers for tests.
//
// DATABASE_URL and REDIS_URL are the URLs of running servers. Databases 14 and 15
// of that Redis are emptied. Without these variables, and for tests that have to
// stop a server, the package starts an installed server (Debian's postgresql and
// redis-server) on a loopback port and in a temporary directory. If the server is
// not installed, the test is skipped, or fails if SERVERS=require is set.
// SERVERS=none skips all these tests.
package servers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long to wait for something that should happen soon.
const patience = 30 * time.Second

var errAbsent = errors.New("is not installed")

// own lists the servers that this process has started.
var own struct {
	sync.Mutex
	all []*Server
}

// Main is for TestMain. It runs the tests, and then stops the servers that the
// tests have started.
type Main struct{ M *testing.M }

// Run implements the method of testing.M.
func (m Main) Run() int {
	code := m.M.Run()
	own.Lock()
	defer own.Unlock()
	for _, s := range own.all {
		s.Kill()
		_ = os.RemoveAll(s.dir)
	}
	return code
}

// Server is a server that a test may stop.
type Server struct {
	URL string

	dir     string
	command func() *exec.Cmd
	answers func(context.Context) error

	cmd  *exec.Cmd
	done chan struct{}
}

// begin starts a server for the first time.
func begin(s *Server) (*Server, error) {
	own.Lock()
	own.all = append(own.all, s)
	own.Unlock()
	return s, s.Start()
}

// Start starts the server, also again after Kill, with the data that was stored. It
// returns when the server responds.
func (s *Server) Start() error {
	s.cmd, s.done = s.command(), make(chan struct{})
	dieWithParent(s.cmd)
	started := make(chan error)
	go s.run(started)
	if err := <-started; err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("%s has ended: %s", s.cmd.Path, s.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", s.cmd.Path, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server at once, like a crash.
func (s *Server) Kill() {
	s.signal(syscall.SIGCONT) // a paused process would not react
	s.signal(syscall.SIGQUIT) // PostgreSQL also ends its children
	<-s.done
}

// Pause makes the server hang: it accepts connections and does not respond.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) { _ = s.cmd.Process.Signal(sig) }

// wanted skips the test if SERVERS=none.
func wanted(tb testing.TB) {
	tb.Helper()
	if os.Getenv("SERVERS") == "none" {
		tb.Skip("SERVERS=none")
	}
}

// need skips the test if err says that the server is not installed.
func need(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case errors.Is(err, errAbsent) && os.Getenv("SERVERS") != "require":
		tb.Skip(err)
	case err != nil:
		tb.Fatal(err)
	}
}

// freePort returns a port that was just free. It is below the ports that systems give
// to outgoing connections, one of which could otherwise take the port of a server
// while it is stopped.
func freePort() (port string, err error) {
	for range 100 {
		port = strconv.Itoa(10_000 + rand.IntN(20_000))
		var l net.Listener
		if l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			return port, l.Close()
		}
	}
	return "", err
}

// temporary makes a directory that belongs to the user with the given id.
func temporary(uid uint32) (string, error) {
	dir, err := os.MkdirTemp("", "bulwark-service-")
	if err != nil {
		return "", err
	}
	return dir, os.Chown(dir, int(uid), -1)
}
