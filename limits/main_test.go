package limits_test

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen. It bounds hangs and
// measures nothing.
const patience = 20 * time.Second

// serve starts an HTTP/1 server with h.
func serve(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	s.Client().Timeout = patience
	t.Cleanup(s.Close)
	t.Cleanup(s.Client().CloseIdleConnections)
	return s
}

// serve2 starts an HTTP/2 server with h.
func serve2(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	s.Client().Timeout = patience
	t.Cleanup(s.Close)
	t.Cleanup(s.Client().CloseIdleConnections)
	return s
}

// protocols are the servers that a behaviour is tested on.
var protocols = []struct {
	name  string
	serve func(testing.TB, http.Handler) *httptest.Server
}{{"HTTP1", serve}, {"HTTP2", serve2}}

// raw is a client that does only what it is told.
type raw struct {
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, s *httptest.Server) *raw {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return &raw{c, bufio.NewReader(c)}
}

func (c *raw) send(t testing.TB, s string) {
	t.Helper()
	_, err := io.WriteString(c, s)
	require.NoError(t, err)
}

// response reads one response, body included.
func (c *raw) response(t testing.TB) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	_ = res.Body.Close()
	return res, string(b)
}

// closed waits for the server to close the connection, with nothing more sent.
func (c *raw) closed(t testing.TB) {
	t.Helper()
	rest, _ := io.ReadAll(c.r) // a reset is an end as well
	require.Empty(t, string(rest))
}

// chunks is a body that is sent without a length.
type chunks struct{ io.Reader }

func post(t testing.TB, s *httptest.Server, body io.Reader) (*http.Response, string) {
	t.Helper()
	res, err := s.Client().Post(s.URL, "text/plain", body)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(b)
}

// read is what a handler saw of a body.
type read struct {
	n   int64
	err error
}

// reading is a handler that reads the whole body in small pieces, reports what
// it saw, and answers 413 for an error as a careful handler does.
func reading(saw chan<- read) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, make([]byte, 7))
		saw <- read{n, err}
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = io.WriteString(w, "ok")
	})
}

func never(t testing.TB) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })
}

func readAll(r *http.Request) ([]byte, error) { return io.ReadAll(r.Body) }

// within waits for a value, for as long as patience lasts.
func within[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "it did not happen")
	}
	panic("unreachable")
}

func xs(n int) string { return strings.Repeat("x", n) }
