package otelmetrics_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/examples/observability/otelmetrics"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDuration(t *testing.T) {
	reader := sdk.NewManualReader()
	onRecord, err := otelmetrics.OnRecord(sdk.NewMeterProvider(sdk.WithReader(reader)), "http")
	require.NoError(t, err)
	stack := bulwark.Chain(
		logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler), OnRecord: onRecord}),
		timeout.New(timeout.Config{Limit: time.Minute}),
	)
	srv := httptest.NewServer(stack(routes()))

	for _, path := range []string{"/users/1", "/users/2", "/.env", "/broken", "/slow"} {
		res, err := srv.Client().Get(srv.URL + path)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}
	_, err = srv.Client().Get(srv.URL + "/cut")
	require.ErrorIs(t, err, io.EOF)
	srv.Close() // waits for the last record

	m := collect(t, reader)
	assert.Equal(t, "http.server.request.duration", m.Name)
	assert.Equal(t, "s", m.Unit)
	points := m.Data.(metricdata.Histogram[float64]).DataPoints
	counts := map[string]uint64{}
	for _, p := range points {
		assert.Equal(t, []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}, p.Bounds)
		attrs := p.Attributes.Encoded(attribute.DefaultEncoder())
		counts[attrs] = p.Count
		if route, _ := p.Attributes.Value("http.route"); route.AsString() == "/slow" {
			assert.GreaterOrEqual(t, p.Sum, 0.02, "in seconds")
			assert.Less(t, p.Sum, 20.)
		}
	}
	assert.Equal(t, map[string]uint64{
		"http.request.method=GET,http.response.status_code=200,http.route=/users/{id},network.protocol.version=1.1,url.scheme=http":               2,
		"http.request.method=GET,http.response.status_code=404,network.protocol.version=1.1,url.scheme=http":                                      1,
		"error.type=502,http.request.method=GET,http.response.status_code=502,http.route=/broken,network.protocol.version=1.1,url.scheme=http":    1,
		"error.type=deadline,http.request.method=GET,http.response.status_code=504,http.route=/slow,network.protocol.version=1.1,url.scheme=http": 1,
		"error.type=aborted,http.request.method=GET,http.route=/cut,network.protocol.version=1.1,url.scheme=http":                                 1,
	}, counts)
}

// TestClientGone: the line's 499 was never sent, and is no status here.
func TestClientGone(t *testing.T) {
	reader := sdk.NewManualReader()
	onRecord, err := otelmetrics.OnRecord(sdk.NewMeterProvider(sdk.WithReader(reader)), "https")
	require.NoError(t, err)
	ctx, leave := context.WithCancel(t.Context())
	srv := httptest.NewServer(logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler), OnRecord: onRecord})(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			leave()
			<-r.Context().Done()
		})))

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
	require.NoError(t, err)
	_, err = srv.Client().Do(req)
	require.ErrorIs(t, err, context.Canceled)
	srv.Close()

	points := collect(t, reader).Data.(metricdata.Histogram[float64]).DataPoints
	require.Len(t, points, 1)
	assert.Equal(t, "error.type=client_gone,http.request.method=GET,network.protocol.version=1.1,url.scheme=https",
		points[0].Attributes.Encoded(attribute.DefaultEncoder()))
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Ann") })
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("GET /cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.Handle("GET /slow", timeout.New(timeout.Config{Limit: 20 * time.Millisecond})(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })))
	return mux
}

// collect is the one metric there is.
func collect(t *testing.T, reader sdk.Reader) metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	require.Len(t, all.ScopeMetrics, 1)
	require.Len(t, all.ScopeMetrics[0].Metrics, 1)
	return all.ScopeMetrics[0].Metrics[0]
}
