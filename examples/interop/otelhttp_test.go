package interop_test

import (
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	callerSpan  = "00f067aa0ba902b7"
	traceparent = "Traceparent: 00-" + traceID + "-" + callerSpan + "-01"
)

// traced is otelhttp, and what it exports.
func traced() (wrapper, *tracetest.InMemoryExporter) {
	spans := tracetest.NewInMemoryExporter()
	return otelhttp.NewMiddleware("server",
		otelhttp.WithTracerProvider(sdk.NewTracerProvider(sdk.WithSyncer(spans))),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithMeterProvider(noop.NewMeterProvider())), spans
}

// tellsSpan tells the line of the span, and of the route, which the mux writes
// into the request that it is given.
func tellsSpan(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sc := trace.SpanContextFromContext(r.Context()); sc.IsValid() {
			logging.Add(r.Context(), slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
		}
		defer func() { logging.Add(r.Context(), slog.String("http.route", r.Pattern)) }()
		next.ServeHTTP(w, r)
	})
}

// TestTracing: wherever otelhttp stands, the line has the ids of its span once
// it is told. Without that it has those of the caller's.
func TestTracing(t *testing.T) {
	for _, tc := range []struct {
		at   place
		told bool
	}{
		{outside, true}, {behind, true}, {inside, true},
		{outside, false}, {behind, false}, {inside, false},
	} {
		name := string(tc.at)
		if tc.told {
			name += ", told"
		}
		t.Run(name, func(t *testing.T) {
			each(t, protocols, func(t *testing.T, p protocol) {
				otel, spans := traced()
				mux := http.NewServeMux()
				mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, half) })
				st := stack{at: tc.at, mw: []wrapper{otel}}
				h := http.Handler(mux)
				if tc.told {
					h = tellsSpan(mux)
				}
				s := st.serve(t, p, h)
				s.get(t, "/users/7", traceparent).whole(t)
				l := s.logged(t, 200, logging.OK)
				span := ended(t, spans)
				assert.Equal(t, callerSpan, span.Parent.SpanID().String())
				assert.Equal(t, traceID, l.TraceID)
				if tc.told {
					assert.Equal(t, span.SpanContext.SpanID().String(), l.SpanID)
					assert.Equal(t, "/users/{id}", l.Route)
				} else {
					assert.Equal(t, callerSpan, l.SpanID)
				}
				assert.Equal(t, "GET /users/{id}", span.Name)
			})
		})
	}
}

// ended waits for the span, which ends when otelhttp's handler has returned.
func ended(t *testing.T, spans *tracetest.InMemoryExporter) tracetest.SpanStub {
	t.Helper()
	require.Eventually(t, func() bool { return len(spans.GetSpans()) > 0 }, watchdog, limit/10)
	return spans.GetSpans()[0]
}

// TestTracingDeadline: outside of everything the span has the 504 that went out.
// Between logging and timeout and inside it has what the handler made of it.
func TestTracingDeadline(t *testing.T) {
	for _, tc := range []struct {
		at     place
		status int64
	}{
		{outside, 504},
		{behind, 200},
		{inside, 200},
	} {
		t.Run(string(tc.at), func(t *testing.T) {
			each(t, protocols, func(t *testing.T, p protocol) {
				otel, spans := traced()
				s := stack{timeout: timeout.Config{Limit: limit}, at: tc.at, mw: []wrapper{otel}}.
					serve(t, p, tellsSpan(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })))
				res := s.get(t, "/", traceparent)
				assert.Equal(t, 504, res.status)
				l := s.logged(t, 504, logging.Deadline)
				span := ended(t, spans)
				assert.Equal(t, span.SpanContext.SpanID().String(), l.SpanID)
				attrs := map[string]any{}
				for _, a := range span.Attributes {
					attrs[string(a.Key)] = a.Value.AsInterface()
				}
				assert.Equal(t, tc.status, attrs["http.response.status_code"])
			})
		})
	}
}
