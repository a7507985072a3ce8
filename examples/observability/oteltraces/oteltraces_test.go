package oteltraces_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/examples/observability/oteltraces"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	callerSpan  = "00f067aa0ba902b7"
	traceparent = "00-" + traceID + "-" + callerSpan + "-01"
)

// run asks a server once, and returns its lines and the span.
func run(t *testing.T, path, parent string) (lines []map[string]any, span tracetest.SpanStub) {
	t.Helper()
	var out bytes.Buffer
	spans := tracetest.NewInMemoryExporter()
	ended := make(chan struct{})
	stack := bulwark.Chain(
		logging.New(logging.Config{
			Logger:   slog.New(slog.NewJSONHandler(&out, nil)),
			OnRecord: func(context.Context, logging.Record) { close(ended) },
		}),
		otelhttp.NewMiddleware("",
			otelhttp.WithTracerProvider(sdk.NewTracerProvider(sdk.WithSyncer(spans))),
			otelhttp.WithPropagators(propagation.TraceContext{}),
			otelhttp.WithMeterProvider(noop.NewMeterProvider())),
		oteltraces.Line,
		timeout.New(timeout.Config{Limit: time.Minute}),
	)
	srv := httptest.NewServer(stack(routes(ended)))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
	require.NoError(t, err)
	if parent != "" {
		req.Header.Set("Traceparent", parent)
	}
	res, err := srv.Client().Do(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	srv.Close() // waits for handlers

	for d := json.NewDecoder(&out); d.More(); {
		var line map[string]any
		require.NoError(t, d.Decode(&line))
		lines = append(lines, line)
	}
	require.Len(t, spans.GetSpans(), 1)
	return lines, spans.GetSpans()[0]
}

// routes are a handler in time, and one that runs on until its request has ended.
func routes(ended <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(_ http.ResponseWriter, r *http.Request) {
		logging.Logger(r.Context()).Info("cache miss")
	})
	mux.Handle("GET /stuck", timeout.New(timeout.Config{Limit: 20 * time.Millisecond})(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended })))
	return mux
}

// TestLine: the line has the span that the service made, not its caller's.
func TestLine(t *testing.T) {
	lines, span := run(t, "/users/7", traceparent)

	assert.Equal(t, callerSpan, span.Parent.SpanID().String())
	assert.Equal(t, "GET /users/{id}", span.Name)
	require.Len(t, lines, 2)
	for _, line := range lines { // the handler's own, and the request's
		assert.Equal(t, traceID, line["trace_id"])
		assert.Equal(t, span.SpanContext.SpanID().String(), line["span_id"])
	}
	assert.Equal(t, "http request", lines[1]["msg"])
	assert.Equal(t, "/users/{id}", lines[1]["http.route"])
}

// TestNewTrace: without a traceparent the trace begins here.
func TestNewTrace(t *testing.T) {
	lines, span := run(t, "/users/7", "")

	require.Len(t, lines, 2)
	for _, line := range lines {
		assert.Equal(t, span.SpanContext.TraceID().String(), line["trace_id"])
		assert.Equal(t, span.SpanContext.SpanID().String(), line["span_id"])
	}
}

// TestDeadline: the ids are there before the handler is, so that the line which
// is written over its head has them, and the note of its late end.
func TestDeadline(t *testing.T) {
	lines, span := run(t, "/stuck", traceparent)

	require.Len(t, lines, 2)
	assert.Equal(t, "http request", lines[0]["msg"])
	assert.Equal(t, 504., lines[0]["http.response.status_code"])
	assert.Equal(t, "/stuck", lines[0]["http.route"])
	assert.Equal(t, "http handler ended late", lines[1]["msg"])
	for _, line := range lines {
		assert.Equal(t, traceID, line["trace_id"])
		assert.Equal(t, span.SpanContext.SpanID().String(), line["span_id"])
	}
}
