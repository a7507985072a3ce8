//go:build wire

package faults_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// program returns the path of a client. It skips the test if the client is not
// installed, unless CLIENTS=require.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("CLIENTS") == "require":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return path
}

// peer is a client of another project.
type peer struct {
	desc string
	h2   bool
	n    int // requests
	// ask sends them while the handler is stuck. It returns the status and the body, and
	// what was wrong with their end.
	ask func(t *testing.T, url string) (status int, body string, err error)
}

func goClient(h2 bool, method string) func(*testing.T, string) (int, string, error) {
	return func(t *testing.T, url string) (int, string, error) {
		p := new(http.Protocols)
		p.SetHTTP1(!h2)
		p.SetUnencryptedHTTP2(h2)
		tr := &http.Transport{Protocols: p}
		defer tr.CloseIdleConnections()
		var body io.Reader = http.NoBody
		if method == http.MethodPost {
			body = strings.NewReader("body")
		}
		req, err := http.NewRequestWithContext(t.Context(), method, url, body)
		assert.NoError(t, err)
		res, err := (&http.Client{Transport: tr, Timeout: raw.Patience}).Do(req)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res.StatusCode, string(b), err
	}
}

// run runs a program that ends by itself.
func run(t *testing.T, path string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), raw.Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		err = errors.New(e.Error() + ": " + strings.TrimSpace(string(e.Stderr)))
	}
	return string(out), err
}

func curl(args ...string) func(*testing.T, string) (int, string, error) {
	return func(t *testing.T, url string) (int, string, error) {
		out, err := run(t, program(t, "curl"), append(args, "-sS", "-w", "\n%{http_code}", url)...)
		body, code, _ := cutLast(out, "\n")
		status, _ := strconv.Atoi(code)
		return status, body, err
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// ab reports only the length of the bodies.
func ab(n, c int, args ...string) func(*testing.T, string) (int, string, error) {
	return func(t *testing.T, url string) (int, string, error) {
		args := append([]string{"-n", strconv.Itoa(n), "-c", strconv.Itoa(c), "-s", "10"}, args...)
		out, err := run(t, program(t, "ab"), append(args, url)...)
		got := map[string]string{}
		for line := range strings.Lines(out) {
			k, v, _ := strings.Cut(line, ":")
			got[k] = strings.TrimSpace(v)
		}
		if got["Complete requests"] != strconv.Itoa(n) || got["Failed requests"] != "0" || got["Non-2xx responses"] != strconv.Itoa(n) {
			return 0, out, err
		}
		if got["Document Length"] == "16 bytes" {
			return 504, "Gateway Timeout\n", err
		}
		return 504, got["Document Length"], err
	}
}

var peers = []peer{
	{"Go, HTTP/1", false, 1, goClient(false, "GET")},
	{"Go, HTTP/1, POST", false, 1, goClient(false, "POST")},
	{"Go, HTTP/2", true, 1, goClient(true, "GET")},
	{"Go, HTTP/2, POST", true, 1, goClient(true, "POST")},
	{"curl --http1.0", false, 1, curl("--http1.0")},
	{"curl --http1.0, POST", false, 1, curl("--http1.0", "-d", "body")},
	{"curl --http1.1", false, 1, curl("--http1.1")},
	{"curl --http1.1, POST", false, 1, curl("--http1.1", "-d", "body")},
	{"curl --http1.1, Expect", false, 1, curl("--http1.1", "-H", "Expect: 100-continue", "--expect100-timeout", "0.1", "-d", "body")},
	{"curl --http2-prior-knowledge", true, 1, curl("--http2-prior-knowledge")},
	{"curl --http2-prior-knowledge, POST", true, 1, curl("--http2-prior-knowledge", "-d", "body")},
	{"ab", false, 1, ab(1, 1)},
	{"ab, many", false, 20, ab(20, 5)},
	{"ab -k", false, 4, ab(4, 2, "-k")},
}

// TestClients: clients of other projects get a complete 504 while the handler is stuck,
// with any middleware outside.
func TestClients(t *testing.T) {
	t.Setenv("NO_PROXY", "*")
	for _, p := range peers {
		for _, o := range outsides {
			for _, detach := range []bool{false, true} {
				if detach && (!p.h2 || !o.touches) {
					continue
				}
				name := p.desc + ", " + o.desc
				c := timeout.Config{Limit: limit}
				if detach {
					name += ", Detach"
				}
				t.Run(name, func(t *testing.T) {
					if detach {
						c = detached(t, c)
					}
					release := make(latch)
					srv, records := serve(t, &whole, &o, c, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						io.Copy(io.Discard, r.Body)
						<-release
					}))
					t.Cleanup(release.open)
					began := time.Now()
					status, body, err := p.ask(t, "http://"+srv.Addr+"/")
					assert.Less(t, time.Since(began), raw.Patience*3/4)
					assert.Equal(t, [2]any{504, "Gateway Timeout\n"}, [2]any{status, body})
					if !p.h2 || !o.touches || detach { // otherwise the stream is reset after the answer
						assert.NoError(t, err)
					}
					for range p.n {
						if t.Failed() {
							break
						}
						assert.Equal(t, line{Status: 504, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
					}
				})
			}
		}
	}
}
