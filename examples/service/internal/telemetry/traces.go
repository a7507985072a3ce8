package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/bulwark-go/bulwark/logging"
)

// Traces sends spans to a collector. A nil *Traces is a service without.
type Traces struct{ provider *sdk.TracerProvider }

// NewTraces returns nil where environ, as from os.Environ, has no variable of
// OpenTelemetry, or OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER switch traces off.
// What the others mean (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME,
// OTEL_TRACES_SAMPLER …) is the SDK's; the protocol is OTLP over HTTP, and an
// error if another is asked for. It does not connect.
func NewTraces(ctx context.Context, environ []string) (*Traces, error) {
	env := map[string]string{}
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") && value != "" {
			env[name] = value
		}
	}
	if len(env) == 0 || strings.EqualFold(env["OTEL_SDK_DISABLED"], "true") || env["OTEL_TRACES_EXPORTER"] == "none" {
		return nil, nil //nolint:nilnil // see the comment
	}
	if err := supported(env); err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	attributes, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		slog.Warn("opentelemetry", slog.String("error", err.Error()))
	}))
	return &Traces{sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(attributes))}, nil
}

func supported(env map[string]string) error {
	var problems []error
	for name, want := range map[string]string{
		"OTEL_TRACES_EXPORTER":               "otlp",
		"OTEL_EXPORTER_OTLP_PROTOCOL":        "http/protobuf",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
	} {
		if got, ok := env[name]; ok && got != want {
			problems = append(problems, fmt.Errorf("telemetry: %s must be %s: %q", name, want, got))
		}
	}
	return errors.Join(problems...)
}

// Close sends what has not been sent.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Middleware makes a span of a request, and puts its ids into the line, which
// knows of itself only the caller's. It belongs right inside logging. otelhttp
// hands on a request of its own, so the line has to be told of the route, which
// the mux writes into that.
func (t *Traces) Middleware(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	line := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sc := trace.SpanContextFromContext(r.Context()); sc.IsValid() {
			logging.Add(r.Context(), slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
		}
		defer func() { logging.Add(r.Context(), slog.String("http.route", r.Pattern)) }()
		next.ServeHTTP(w, r)
	})
	return otelhttp.NewHandler(line, "", t.options(otelhttp.WithFilter(observed))...)
}

// observed leaves out what asks every few seconds.
func observed(r *http.Request) bool {
	return r.URL.Path != "/livez" && r.URL.Path != "/readyz" && r.URL.Path != "/metrics"
}

// Transport makes a span of a call, and tells the other side of it.
func (t *Traces) Transport(base http.RoundTripper) http.RoundTripper {
	if t == nil {
		return base
	}
	return otelhttp.NewTransport(base, t.options()...)
}

func (t *Traces) options(more ...otelhttp.Option) []otelhttp.Option {
	return append(more,
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithMeterProvider(noop.NewMeterProvider())) // Prometheus has them
}
