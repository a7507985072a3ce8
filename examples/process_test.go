//go:build unix

package examples_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// patience is how long to wait for what is certain to come. It matters only when a test
// fails.
const patience = 30 * time.Second

var frameworks = []string{"nethttp", "gin", "echo"}

var (
	buildFlags []string
	binaries   string // the directory they are built into
)

// build compiles all three once for all tests and all -count repetitions.
var build = sync.OnceValue(func() (err error) {
	if binaries, err = os.MkdirTemp("", "bulwark-examples-"); err != nil {
		return err
	}
	args := append([]string{"build", "-o", binaries}, buildFlags...)
	for _, name := range frameworks {
		args = append(args, "./"+name)
	}
	cmd := exec.Command("go", args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
})

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(binaries)
		os.Exit(code)
	}))
}

// process is one of the three services.
type process struct {
	cmd            *exec.Cmd
	client         *http.Client
	addr           string
	stdout, stderr <-chan string // a line each; closed at the end of the output
	ids            []string      // of the requests that were logged
	exited         bool
}

// launch starts a binary and does not wait for it.
func launch(t *testing.T, name string, args ...string) *process {
	t.Helper()
	require.NoError(t, build())
	p := &process{
		cmd:    exec.Command(filepath.Join(binaries, name), args...),
		client: &http.Client{Transport: &http.Transport{}, Timeout: patience},
	}
	// Built with the race detector, a process sleeps for a second at its end.
	p.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	stderr, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	p.stdout, p.stderr = lines(stdout), lines(stderr)
	t.Cleanup(func() {
		if !p.exited {
			_ = p.cmd.Process.Kill()
			_, _ = p.wait(t)
		}
		p.client.CloseIdleConnections()
	})
	return p
}

// serve starts a binary on a free port and waits until it listens.
func serve(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := launch(t, name, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	line := next(t, p.stderr)
	_, addr, ok := strings.Cut(line, "listening on ")
	require.True(t, ok, "no address in %q", line)
	p.addr = addr
	return p
}

func lines(r io.Reader) <-chan string {
	out := make(chan string, 1000) // more than any test makes a server write
	go func() {
		defer close(out)
		for s := bufio.NewScanner(r); s.Scan(); {
			out <- s.Text()
		}
	}()
	return out
}

func next(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case line, ok := <-from:
		require.True(t, ok, "the process has ended")
		return line
	case <-time.After(patience):
		require.Fail(t, "no log record")
		return ""
	}
}

// wait returns the rest of the process's output, up to its end.
func (p *process) wait(t *testing.T) (out, errs []string) {
	t.Helper()
	watchdog := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer watchdog.Stop()
	for line := range p.stdout {
		out = append(out, line)
	}
	for line := range p.stderr {
		errs = append(errs, line)
	}
	_ = p.cmd.Wait() // its error is the exit code's
	p.exited = true
	return out, errs
}

func (p *process) exitCode() int { return p.cmd.ProcessState.ExitCode() }

// logLine is the part of a log record that the tests read.
type logLine struct {
	Message   string `json:"msg"`
	Method    string `json:"http.request.method"`
	Path      string `json:"url.path"`
	Route     string `json:"http.route"`
	Status    int    `json:"http.response.status_code"`
	BodySize  int    `json:"http.response.body.size"`
	RequestID string `json:"request_id"`
	Outcome   string `json:"outcome"`
}

// logged returns the one record of the next request.
func (p *process) logged(t *testing.T) (raw string, l logLine) {
	t.Helper()
	for {
		raw = next(t, p.stdout)
		if l = parsed(t, raw); !p.late(l) {
			p.ids = append(p.ids, l.RequestID)
			return raw, l
		}
	}
}

// late reports whether l is not the record of a request but the note that an abandoned
// handler has ended since. If the handler follows its context, that takes microseconds,
// or longer on a busy machine.
func (p *process) late(l logLine) bool {
	return l.Message == "http handler ended late" && slices.Contains(p.ids, l.RequestID)
}

func parsed(t *testing.T, raw string) (l logLine) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(raw), &l), "not a line of JSON: %s", raw)
	return l
}

// stop ends the process from outside.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	require.Contains(t, next(t, p.stderr), "shutting down")
	p.ended(t)
}

// ended expects that the process exits with 0 and without further output: one record for
// each request, and no report of a race or a panic.
func (p *process) ended(t *testing.T) {
	t.Helper()
	out, errs := p.wait(t)
	assert.Equal(t, 0, p.exitCode())
	assert.Empty(t, errs)
	for _, raw := range out {
		assert.True(t, p.late(parsed(t, raw)), "more log records than requests: %s", raw)
	}
}
