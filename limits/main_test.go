package limits_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/testhttp"
)

func TestMain(m *testing.M) {
	if os.Getenv(stoppable) != "" {
		serveStoppable()
	}
	goleak.VerifyTestMain(m)
}

// chunks is a body that is sent without a length.
type chunks struct{ io.Reader }

func post(t testing.TB, s *testhttp.Server, body io.Reader) (*http.Response, string) {
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

// reading is a handler that reads the whole body in small pieces, reports what it saw,
// and answers 413 for an error.
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

func xs(n int) string { return strings.Repeat("x", n) }
