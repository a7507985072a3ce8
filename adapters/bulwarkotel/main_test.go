package bulwarkotel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a test that hangs and measures nothing.
const patience = 20 * time.Second

// order is where the tracing middleware is.
type order string

const (
	untraced order = "no tracing"
	outside  order = "tracing outside of logging"
	between  order = "tracing between logging and timeout"
)

// buffer is a log that any goroutine can write.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// lines are the log records so far.
func (b *buffer) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for d := json.NewDecoder(bytes.NewReader(b.buf.Bytes())); d.More(); {
		var line map[string]any
		require.NoError(t, d.Decode(&line))
		lines = append(lines, line)
	}
	return lines
}

// service is a server with the whole stack, and its telemetry.
type service struct {
	*httptest.Server
	reader  sdkmetric.Reader
	spans   *tracetest.InMemoryExporter
	log     *buffer
	errs    *errmap.Mapper
	records chan logging.Record
	served  chan struct{} // a request has left the outermost middleware
	late    chan struct{} // closed before the server is, and releases stuck handlers
}

// start serves h.
func start(t *testing.T, at order, h2 bool, h func(*service) http.Handler) *service {
	t.Helper()
	s := &service{
		reader: sdkmetric.NewManualReader(), spans: tracetest.NewInMemoryExporter(), log: new(buffer),
		errs: errmap.New(errmap.Config{}), records: make(chan logging.Record, 100),
		served: make(chan struct{}, 100), late: make(chan struct{}),
	}
	handler := s.stack(at, h)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { s.served <- struct{}{} }()
		handler.ServeHTTP(w, r)
	}))
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

func (s *service) stack(at order, h func(*service) http.Handler) http.Handler {
	telemetry := bulwarkotel.New(bulwarkotel.Config{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader))})
	tracing := otelhttp.NewMiddleware("",
		otelhttp.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.spans))),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()))
	chain := []func(http.Handler) http.Handler{
		logging.New(telemetry.Server(logging.Config{
			Logger:   slog.New(slog.NewJSONHandler(s.log, nil)),
			OnRecord: func(_ context.Context, r logging.Record) { s.records <- r },
		})),
		timeout.New(timeout.Config{Limit: time.Minute, Detach: true, ErrorHandler: s.errs.Write}),
		s.errs.Recover,
	}
	switch at {
	case outside:
		chain = slices.Insert(chain, 0, tracing)
	case between:
		chain = slices.Insert(chain, 1, tracing, bulwarkotel.Inside)
	case untraced:
	}
	return bulwark.Chain(chain...)(h(s))
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
	receive(t, s.records)
	return status
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "it does not happen")
		panic("unreachable")
	}
}

// metrics are what the instruments have measured, by their names.
func metrics(t *testing.T, reader sdkmetric.Reader) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	found := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		assert.Equal(t, "github.com/bulwark-go/bulwark/adapters/bulwarkotel", scope.Scope.Name)
		assert.Equal(t, "https://opentelemetry.io/schemas/1.43.0", scope.Scope.SchemaURL)
		for _, m := range scope.Metrics {
			found[m.Name] = m
		}
	}
	return found
}

// points are the values of a metric by its attributes: counts of a histogram.
func points(t *testing.T, reader sdkmetric.Reader, name string) map[string]int {
	t.Helper()
	values := map[string]int{}
	switch data := metrics(t, reader)[name].Data.(type) {
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			values[p.Attributes.Encoded(attribute.DefaultEncoder())] = int(p.Count)
		}
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			values[p.Attributes.Encoded(attribute.DefaultEncoder())] = int(p.Value)
		}
	}
	return values
}

func both(t *testing.T, f func(t *testing.T, h2 bool)) {
	t.Helper()
	t.Run("HTTP/1", func(t *testing.T) { f(t, false) })
	t.Run("HTTP/2", func(t *testing.T) { f(t, true) })
}
