package prom_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/examples/observability/prom"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves h behind the metrics. scrape is what Prometheus would get.
func start(t *testing.T, h http.Handler) (srv *httptest.Server, scrape func() []string) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	metrics := prom.New(reg)
	stack := bulwark.Chain(
		metrics.Arrived,
		logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler), OnRecord: metrics.OnRecord}),
		timeout.New(timeout.Config{Limit: time.Minute}),
	)
	srv = httptest.NewServer(stack(h))
	t.Cleanup(srv.Close)
	exporter := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	return srv, func() []string {
		w := httptest.NewRecorder()
		exporter.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return strings.Split(w.Body.String(), "\n")
	}
}

func ask(t *testing.T, srv *httptest.Server, method, path string) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, nil)
	require.NoError(t, err)
	res, err := srv.Client().Do(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

// soon waits for a line: a client has its answer a moment before the record is made.
func soon(t *testing.T, scrape func() []string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		require.Eventually(t, func() bool { return slices.Contains(scrape(), line) }, 10*time.Second, time.Millisecond, line)
	}
}

func TestDuration(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Ann") })
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	srv, scrape := start(t, mux)

	ask(t, srv, http.MethodGet, "/users/1")
	ask(t, srv, http.MethodGet, "/users/2")
	ask(t, srv, http.MethodGet, "/broken")
	ask(t, srv, http.MethodGet, "/.env")
	ask(t, srv, "BREW", "/pot")

	soon(t, scrape,
		`http_server_request_duration_seconds_count{method="GET",outcome="ok",route="/users/{id}",status="2xx"} 2`,
		`http_server_request_duration_seconds_count{method="GET",outcome="error",route="/broken",status="5xx"} 1`,
		`http_server_request_duration_seconds_count{method="GET",outcome="ok",route="",status="4xx"} 1`,
		`http_server_request_duration_seconds_count{method="_OTHER",outcome="ok",route="",status="4xx"} 1`,
		`http_server_requests_in_flight 0`,
	)
	for _, line := range scrape() {
		assert.NotContains(t, line, ".env")
		assert.NotContains(t, line, "BREW")
	}
}

// TestClientGone: an access log's 200, and what became of it.
func TestClientGone(t *testing.T) {
	arrived := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /report", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	srv, scrape := start(t, mux)

	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/report", nil)
	require.NoError(t, err)
	go func() {
		<-arrived
		assert.Contains(t, scrape(), `http_server_requests_in_flight 1`)
		leave()
	}()
	_, err = srv.Client().Do(req)
	require.ErrorIs(t, err, context.Canceled)

	soon(t, scrape,
		`http_server_request_duration_seconds_count{method="GET",outcome="client_gone",route="/report",status="4xx"} 1`,
		`http_server_requests_in_flight 0`,
	)
}

// TestAbandoned: the client has its 504 while the handler is stuck. The request
// is over, and the handler counted.
func TestAbandoned(t *testing.T) {
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("GET /stuck", timeout.New(timeout.Config{Limit: 20 * time.Millisecond})(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })))
	srv, scrape := start(t, mux)
	defer close(release)

	assert.Equal(t, http.StatusGatewayTimeout, ask(t, srv, http.MethodGet, "/stuck"))

	soon(t, scrape,
		`http_server_request_duration_seconds_count{method="GET",outcome="deadline",route="/stuck",status="5xx"} 1`,
		`http_server_handlers_abandoned_total{route="/stuck"} 1`,
		`http_server_requests_in_flight 0`,
	)
}
