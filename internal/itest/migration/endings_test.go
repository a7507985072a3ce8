package migration_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// handler is what the tests add to a service.
type handler = func(http.ResponseWriter, *http.Request) error

// ending is a request and a way for it to end.
type ending struct {
	desc    string
	request string
	handle  func(release <-chan struct{}) handler // of GET /; nil: the request is for POST /users
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func post(head, body string) string {
	return "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + head + "\r\n\r\n" + body
}

var tooLong = `{"name":"` + strings.Repeat("x", 4*maxBody) + `"}`

var endings = []ending{
	{"a handler waits for its context and exceeds the limit", get, func(<-chan struct{}) handler {
		return func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		}
	}},
	{"a handler ignores its context and exceeds the limit", get, func(release <-chan struct{}) handler {
		return func(w http.ResponseWriter, _ *http.Request) error {
			<-release
			_, err := io.WriteString(w, "late")
			return err
		}
	}},
	{"a client stalls while sending its body", post("Content-Length: 100", `{"name":`), nil},
	{"a JSON body is truncated", post("Content-Length: 8", `{"name":`), nil},
	{"a body is too large, with Content-Length", post(fmt.Sprintf("Content-Length: %d", len(tooLong)), tooLong), nil},
	{"a body is too large, chunked", post("Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(tooLong), tooLong)), nil},
	{"a handler panics", get, func(<-chan struct{}) handler {
		return func(http.ResponseWriter, *http.Request) error { panic("boom") }
	}},
	{"a handler panics after half of its response", get, func(<-chan struct{}) handler {
		return func(w http.ResponseWriter, _ *http.Request) error {
			if _, err := io.WriteString(w, "half"); err != nil {
				return err
			}
			if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return err
			}
			panic("boom")
		}
	}},
}

// patience bounds what is certain to come. It matters only when a test fails.
const patience = 30 * time.Second

// observe runs an ending, and returns what the client saw and what was logged. If no
// response is expected, it waits for twice the limit only.
func (e *ending) observe(t *testing.T, build func(handler) http.Handler, answers bool) string {
	t.Helper()
	lines, others := capture(t), goleak.IgnoreCurrent()
	release, running := make(chan struct{}), sync.WaitGroup{}
	var h handler
	if e.handle != nil {
		inner := e.handle(release)
		running.Add(1)
		h = func(w http.ResponseWriter, r *http.Request) error {
			defer running.Done()
			return inner(w, r)
		}
	}
	srv := httptest.NewUnstartedServer(build(h))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	wait := patience
	if !answers {
		wait = 2 * limit
	}
	seen := ask(t, srv.Listener.Addr().String(), e.request, wait)
	close(release)
	running.Wait()
	srv.Close()
	goleak.VerifyNone(t, others) // a handler that has its own goroutine may end, and be logged, after that
	return seen + ", " + lines.said()
}

// ask sends a request on its own connection and returns what comes back within the
// time.
func ask(t *testing.T, addr, request string, wait time.Duration) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	var sent sync.WaitGroup
	sent.Go(func() { _, _ = io.WriteString(conn, request) }) // the server may not read all of it
	defer sent.Wait()
	defer conn.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(wait)))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "no response"
	}
	if err != nil {
		return "connection closed"
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return fmt.Sprintf("`%d` aborted", res.StatusCode)
	}
	return fmt.Sprintf("`%d`", res.StatusCode)
}

// captured is everything that any library logs.
type captured struct{ testhttp.Lines }

func capture(t *testing.T) *captured {
	t.Helper()
	c := &captured{}
	before, gins, ginErrors := slog.Default(), gin.DefaultWriter, gin.DefaultErrorWriter
	slog.SetDefault(slog.New(slog.NewJSONHandler(c, nil)))
	gin.DefaultWriter, gin.DefaultErrorWriter = c, io.Discard
	t.Cleanup(func() {
		slog.SetDefault(before)
		gin.DefaultWriter, gin.DefaultErrorWriter = gins, ginErrors
	})
	return c
}

// statusRE finds the status in a record of Bulwark and httplog, of Echo, and of Gin.
var statusRE = regexp.MustCompile(`(?:"http\.response\.status_code":|"status":|\[GIN\][^|]*\| )(\d{3})\b`)

func (c *captured) said() string {
	var said []string
	for _, m := range statusRE.FindAllStringSubmatch(c.String(), -1) {
		said = append(said, "`"+m[1]+"`")
	}
	if said == nil {
		return "not logged"
	}
	return "logged " + strings.Join(said, " and ")
}
