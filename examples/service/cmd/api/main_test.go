//go:build unix

// These tests run the binary as its users do: with a database, a cache and a
// third party, all of which fail.
package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/examples/service/internal/servers"
)

// patience is how long to wait for what is certain to come. It matters only when a test
// fails.
const patience = 30 * time.Second

var (
	buildFlags []string
	directory  string
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(servers.Main{M: m}, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(directory)
		os.Exit(code)
	}))
}

// binary builds the service once.
var binary = sync.OnceValues(func() (string, error) {
	var err error
	if directory, err = os.MkdirTemp("", "bulwark-service-"); err != nil {
		return "", err
	}
	path := filepath.Join(directory, "api")
	cmd := exec.Command("go", append(append([]string{"build"}, buildFlags...), "-o", path, ".")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// line is the part of a log record that the tests read.
type line struct {
	Level     string `json:"level"`
	Message   string `json:"msg"`
	Addr      string `json:"addr"`
	Error     string `json:"error"`
	Path      string `json:"url.path"`
	Route     string `json:"http.route"`
	Status    int    `json:"http.response.status_code"`
	Outcome   string `json:"outcome"`
	RequestID string `json:"request_id"`
	TraceID   string `json:"trace_id"`
	SpanID    string `json:"span_id"`
	raw       string
}

// process is the service, running.
type process struct {
	cmd    *exec.Cmd
	client *http.Client
	url    string // of the API
	debug  string // of pprof
	stderr bytes.Buffer
	ended  chan struct{}

	mu    sync.Mutex
	lines []line
	more  chan struct{} // closed when there is another record
}

// launch starts the binary with nothing else in its environment, and does not
// wait for it.
func launch(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	p := &process{
		cmd:    exec.Command(path, args...),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: patience},
		ended:  make(chan struct{}),
		more:   make(chan struct{}),
	}
	p.cmd.Dir = t.TempDir()
	// Built with the race detector, a process sleeps for a second at its end.
	p.cmd.Env = append([]string{"GORACE=atexit_sleep_ms=0 halt_on_error=1"}, environ...)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go p.read(stdout)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		p.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the service's log:\n%s%s", p.tail(), p.stderr.String())
		}
	})
	return p
}

func (p *process) read(stdout io.Reader) {
	defer close(p.ended)
	for s := bufio.NewScanner(stdout); s.Scan(); {
		l := line{raw: s.Text()}
		_ = json.Unmarshal(s.Bytes(), &l) // the help is no JSON
		p.mu.Lock()
		p.lines = append(p.lines, l)
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	_ = p.cmd.Wait() // its error is the exit code's
}

func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, l := range p.lines[max(0, len(p.lines)-20):] {
		b.WriteString(l.raw + "\n")
	}
	return b.String()
}

// serve starts the binary on free ports and waits until it listens.
func serve(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	args = append([]string{"-http.addr", "127.0.0.1:0", "-debug.addr", "127.0.0.1:0", "-shutdown.delay", "0s", "-quota.burst", "1000000"}, args...)
	p := launch(t, environ, args...)
	n := 0
	p.await(t, func(l line) bool {
		if l.Message != "listening" {
			return false
		}
		if n++; n == 1 {
			p.url = "http://" + l.Addr
		} else {
			p.debug = "http://" + l.Addr
		}
		return n == 2
	})
	return p
}

// await returns the first record, already written or to come, for which f is true.
func (p *process) await(t *testing.T, f func(line) bool) line {
	t.Helper()
	watchdog := time.After(patience)
	for i := 0; ; {
		p.mu.Lock()
		lines, more := p.lines[i:], p.more
		p.mu.Unlock()
		for _, l := range lines {
			if f(l) {
				return l
			}
		}
		i += len(lines)
		select {
		case <-more:
		case <-p.ended:
			if p.count(func(line) bool { return true }) == i {
				require.Fail(t, "the process has ended", "%s", p.stderr.String())
			}
		case <-watchdog:
			require.Fail(t, "no such line")
		}
	}
}

func (p *process) count(f func(line) bool) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if f(l) {
			n++
		}
	}
	return n
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(s))
}

// exit waits for the end, and returns the exit code and the output on standard error.
func (p *process) exit(t *testing.T) (code int, stderr string) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		require.Fail(t, "it does not end")
	}
	return p.cmd.ProcessState.ExitCode(), p.stderr.String()
}

// stop ends the service as an orchestrator does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	code, stderr := p.exit(t)
	assert.Equal(t, 0, code)
	assert.Empty(t, stderr)
}

// reply is the part of a response that a client uses.
type reply struct {
	status int
	body   string
}

// answer is a complete response.
type answer struct {
	reply
	header http.Header
}

func (p *process) do(req *http.Request) (answer, error) {
	res, err := p.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{reply{res.StatusCode, strings.TrimSpace(string(body))}, res.Header}, err
}

func (p *process) request(method, path, body string) *http.Request {
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

func (p *process) get(t *testing.T, path string) answer {
	t.Helper()
	a, err := p.do(p.request(http.MethodGet, path, ""))
	require.NoError(t, err)
	return a
}

func (p *process) create(key, email string) (answer, error) {
	req := p.request(http.MethodPost, "/users", `{"name":"Ada","email":"`+email+`"}`)
	req.Header.Set("Idempotency-Key", key)
	return p.do(req)
}

// mustCreate returns the path of the new user.
func (p *process) mustCreate(t *testing.T, key, email string) string {
	t.Helper()
	a, err := p.create(key, email)
	require.NoError(t, err)
	require.Equal(t, 201, a.status, a.body)
	return a.header.Get("Location")
}
