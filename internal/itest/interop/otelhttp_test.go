package interop_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	callerSpan  = "00f067aa0ba902b7"
	traceparent = "Traceparent: 00-" + traceID + "-" + callerSpan + "-01"
)

// traced is otelhttp and what it exports.
func traced() (wrapper, *tracetest.InMemoryExporter) {
	spans := tracetest.NewInMemoryExporter()
	return otelhttp.NewMiddleware("server",
		otelhttp.WithTracerProvider(sdk.NewTracerProvider(sdk.WithSyncer(spans))),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithMeterProvider(noop.NewMeterProvider())), spans
}

// spanHooks returns the hooks of bulwarkotel, which add the span to the log record.
func spanHooks() func(logging.Config) logging.Config {
	return bulwarkotel.New(bulwarkotel.Config{MeterProvider: noop.NewMeterProvider()}).Server
}

// TestTracing: wherever otelhttp is, the log record has the ids of its span with the
// hooks, and the ids of the caller's span without.
func TestTracing(t *testing.T) {
	for _, tc := range []struct {
		at     place
		hooked bool
	}{
		{outside, true}, {behind, true}, {inside, true},
		{outside, false}, {behind, false}, {inside, false},
	} {
		name := string(tc.at)
		if tc.hooked {
			name += ", with hooks"
		}
		t.Run(name, func(t *testing.T) {
			each(t, protocols, func(t *testing.T, p protocol) {
				otel, spans := traced()
				mux := http.NewServeMux()
				mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, half) })
				st := stack{at: tc.at, mw: []wrapper{otel}}
				if tc.hooked {
					st.hooks = spanHooks()
				}
				if tc.hooked && tc.at != outside {
					st.mw = append(st.mw, bulwarkotel.Inside)
				}
				s := st.serve(t, p, mux)
				s.get(t, "/users/7", traceparent).whole(t)
				l := s.logged(t, 200, logging.OutcomeOK)
				span := ended(t, spans)
				assert.Equal(t, callerSpan, span.Parent.SpanID().String())
				assert.Equal(t, traceID, l.TraceID)
				if tc.hooked {
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

// TestTracingDeadline: outside, the span has the 504 that was sent. Between logging and
// timeout and inside it has the handler's status.
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
				s := stack{timeout: timeout.Config{Limit: limit}, at: tc.at, mw: []wrapper{otel, bulwarkotel.Inside}, hooks: spanHooks()}.
					serve(t, p, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
				res := s.get(t, "/", traceparent)
				assert.Equal(t, 504, res.status)
				l := s.logged(t, 504, logging.OutcomeDeadline)
				span := ended(t, spans)
				assert.Equal(t, span.SpanContext.SpanID().String(), l.SpanID)
				attrs := map[string]any{}
				for _, a := range span.Attributes {
					attrs[string(a.Key)] = a.Value.AsInterface()
				}
				assert.Equal(t, tc.status, attrs["http.response.status_code"])
				assert.Equal(t, codes.Error, span.Status.Code)
			})
		})
	}
}

// Behind otelhttp a stuck handler ends the stream cleanly with Detach, and with a reset
// without. The span is an error.
func TestTracingDetach(t *testing.T) {
	for _, detach := range []bool{true, false} {
		t.Run(map[bool]string{true: "Detach", false: "in place"}[detach], func(t *testing.T) {
			each(t, []place{outside, behind}, func(t *testing.T, at place) {
				each(t, []protocol{http2, h2c}, func(t *testing.T, p protocol) {
					otel, spans := traced()
					st := stack{timeout: timeout.Config{Limit: limit, Detach: detach}, at: at, mw: []wrapper{otel}, hooks: spanHooks()}
					if at == behind {
						st.mw = append(st.mw, bulwarkotel.Inside)
					}
					stuck, returned := make(chan struct{}), make(chan struct{})
					s := st.serve(t, p, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
						defer close(returned)
						<-stuck
					}))
					res := s.get(t, "/")
					assert.Equal(t, 504, res.status)
					if detach {
						require.NoError(t, res.err)
						assert.Equal(t, codes.Error, ended(t, spans).Status.Code, "before the handler has ended")
					} else {
						require.ErrorContains(t, res.err, "stream error")
					}
					close(stuck)
					await(t, returned)
					assert.Equal(t, codes.Error, ended(t, spans).Status.Code)
				})
			})
		})
	}
}
