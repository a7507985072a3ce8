//go:build unix

// Package servers gives tests a PostgreSQL and a Redis.
//
// DATABASE_URL and REDIS_URL name servers that are there; of that Redis,
// databases 14 and 15 are emptied. Without them, and for tests that have to stop
// one, a server of the tests' own is started from the installed package (Debian's
// postgresql and redis-server), on a loopback port and in a temporary directory.
// Where that is not installed either the test is skipped. SERVERS=require makes
// a failure of that, and SERVERS=none skips all of them.
package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long to wait for what is certain to come.
const patience = 30 * time.Second

var errAbsent = errors.New("is not installed")

// own are the servers that this process has started.
var own struct {
	sync.Mutex
	all []*Server
}

// Main is for TestMain: it runs the tests, and ends the servers that they
// started.
type Main struct{ M *testing.M }

// Run is that of testing.M.
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

// Server is one that a test may stop.
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

// Start starts it, after Kill with what it had stored, and returns when it
// answers.
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

// Kill ends it at once, as a crash would.
func (s *Server) Kill() {
	s.signal(syscall.SIGCONT) // one that is paused would not hear
	s.signal(syscall.SIGQUIT) // PostgreSQL takes its children along
	<-s.done
}

// Pause lets it hang: it takes connections and answers nothing.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) { _ = s.cmd.Process.Signal(sig) }

// wanted skips the test where no server is.
func wanted(tb testing.TB) {
	tb.Helper()
	if os.Getenv("SERVERS") == "none" {
		tb.Skip("SERVERS=none")
	}
}

// need skips the test where err says that the server is not there.
func need(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case errors.Is(err, errAbsent) && os.Getenv("SERVERS") != "require":
		tb.Skip(err)
	case err != nil:
		tb.Fatal(err)
	}
}

// freePort was free a moment ago, and is not soon given to somebody else.
func freePort() (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// temporary makes a directory that belongs to the user with that id.
func temporary(uid uint32) (string, error) {
	dir, err := os.MkdirTemp("", "bulwark-service-")
	if err != nil {
		return "", err
	}
	return dir, os.Chown(dir, int(uid), -1)
}
