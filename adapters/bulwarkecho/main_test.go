package bulwarkecho_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newEcho logs nothing, except into t if a response is written twice.
func newEcho(t *testing.T, handler echo.HTTPErrorHandler) *echo.Echo {
	e := echo.New()
	e.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	e.HTTPErrorHandler = handler
	return e
}

// spyMapper responds with the error's own status, or with 418, and records its
// arguments.
type spyMapper struct {
	mu             sync.Mutex
	written, noted []error
}

func (s *spyMapper) Write(w http.ResponseWriter, _ *http.Request, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = append(s.written, err)
	status := echo.StatusCode(err)
	if status == 0 {
		status = http.StatusTeapot
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "mapped")
}

func (s *spyMapper) Note(_ *http.Request, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted = append(s.noted, err)
}

// do sends one request over a real socket and returns what the client saw.
func do(t *testing.T, h http.Handler, method, path string) (*http.Response, string) {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, http.NoBody)
	require.NoError(t, err)
	res, err := srv.Client().Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res, string(body)
}

// spyWriter is the ResponseWriter of a middleware, with no other method than Unwrap. It
// records each call.
type spyWriter struct {
	http.ResponseWriter
	calls []string
}

func (s *spyWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *spyWriter) WriteHeader(code int) {
	s.calls = append(s.calls, "header "+strconv.Itoa(code))
	s.ResponseWriter.WriteHeader(code)
}

func (s *spyWriter) Write(p []byte) (int, error) {
	s.calls = append(s.calls, "write "+string(p))
	return s.ResponseWriter.Write(p)
}

// spy is a middleware that records in calls what passed its writer.
func spy(calls *string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := &spyWriter{ResponseWriter: w}
			defer func() { *calls = strings.Join(s.calls, "; ") }()
			next.ServeHTTP(s, r)
		})
	}
}
