package bulwarkgin_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(m)
}

// spyMapper responds with its status to everything and records its arguments.
type spyMapper struct {
	mu             sync.Mutex
	status         int
	written, noted []error
	pattern        string
}

func (s *spyMapper) Write(w http.ResponseWriter, r *http.Request, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written, s.pattern = append(s.written, err), r.Pattern
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, "mapped")
}

func (s *spyMapper) Note(_ *http.Request, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted = append(s.noted, err)
}

// answer is what a client saw.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends one request over a real socket.
func do(t *testing.T, h http.Handler, method, path string) answer {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, http.NoBody)
	require.NoError(t, err)
	srv.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := srv.Client().Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	res.Header.Del("Date")
	return answer{res.StatusCode, res.Header, string(body)}
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
