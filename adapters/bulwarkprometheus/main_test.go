package bulwarkprometheus_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a test that hangs and measures nothing.
const patience = 20 * time.Second

// service is a server with the whole stack, and its metrics.
type service struct {
	*httptest.Server
	reg     *prometheus.Registry
	metrics *bulwarkprometheus.Metrics
	errs    *errmap.Mapper
	records chan logging.Record
	late    chan struct{} // closed before the server is, and releases stuck handlers
}

// start serves h. change may change the stack.
func start(t *testing.T, h2 bool, h func(*service) http.Handler, change ...func(*bulwarkprometheus.Config, *bulwark.Config)) *service {
	t.Helper()
	s := &service{
		reg: prometheus.NewPedanticRegistry(), errs: errmap.New(errmap.Config{}),
		records: make(chan logging.Record, 1000), late: make(chan struct{}),
	}
	cfg := bulwarkprometheus.Config{Registerer: s.reg}
	stack := bulwark.Config{
		Errors:  s.errs,
		Logging: logging.Config{Logger: slog.New(slog.DiscardHandler), OnRecord: func(_ context.Context, r logging.Record) { s.records <- r }},
		Timeout: timeout.Config{Limit: time.Minute},
		Limits:  limits.Config{MaxBodyBytes: 1 << 10},
	}
	for _, c := range change {
		c(&cfg, &stack)
	}
	s.metrics = bulwarkprometheus.New(cfg)
	stack.Logging = s.metrics.Server(stack.Logging)
	s.Server = httptest.NewUnstartedServer(bulwark.New(stack)(h(s)))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if h2 {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	t.Cleanup(s.Client().CloseIdleConnections)
	t.Cleanup(func() { close(s.late) })
	return s
}

// do makes a request, reads the response, and waits until it is counted.
func (s *service) do(t *testing.T, method, path string, body io.Reader, header ...string) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client().Do(req)
	if err == nil {
		status = res.StatusCode
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	s.next(t)
	return status
}

func (s *service) get(t *testing.T, path string, header ...string) int {
	t.Helper()
	return s.do(t, http.MethodGet, path, nil, header...)
}

// next waits for the record of a request. It has been counted before.
func (s *service) next(t *testing.T) logging.Record {
	t.Helper()
	select {
	case r := <-s.records:
		return r
	case <-time.After(patience):
		require.FailNow(t, "no record")
		panic("unreachable")
	}
}

// scrape is what Prometheus gets.
func scrape(t *testing.T, reg prometheus.Gatherer, accept string) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.HTTPErrorOnError}).ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	return w.Body.String()
}

// series are the lines of a scrape that begin with one of the names.
func (s *service) series(t *testing.T, names ...string) (lines []string) {
	t.Helper()
	for line := range strings.SplitSeq(scrape(t, s.reg, "text/plain"), "\n") {
		for _, name := range names {
			if strings.HasPrefix(line, name) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func both(t *testing.T, f func(t *testing.T, h2 bool)) {
	t.Helper()
	t.Run("HTTP/1", func(t *testing.T) { f(t, false) })
	t.Run("HTTP/2", func(t *testing.T) { f(t, true) })
}
