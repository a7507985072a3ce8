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

	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/logging"
)

// Traces sends spans to a collector. A nil *Traces sends none.
type Traces struct{ provider *sdk.TracerProvider }

// NewTraces returns nil if environ, as from os.Environ, has no OpenTelemetry
// variable, or if OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER switches traces off.
// The SDK reads the other variables (OTEL_EXPORTER_OTLP_ENDPOINT,
// OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER …). The protocol is OTLP over HTTP. If a
// variable asks for another protocol, NewTraces returns an error. NewTraces does
// not connect.
func NewTraces(ctx context.Context, environ []string) (*Traces, error) {
	env := map[string]string{}
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") && value != "" {
			env[name] = value
		}
	}
	if len(env) == 0 || strings.EqualFold(env["OTEL_SDK_DISABLED"], "true") || env["OTEL_TRACES_EXPORTER"] == "none" {
		return nil, nil //nolint:nilnil // a nil *Traces sends no spans
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

// Close sends the remaining spans.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Middleware starts a span for each request. Put it around logging, which then sets
// the outcome of the request on the span.
func (t *Traces) Middleware(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return otelhttp.NewHandler(next, "", t.options(otelhttp.WithFilter(observed))...)
}

// Server returns a copy of cfg that puts the span's ids into the log record, and
// the outcome into the span.
func (t *Traces) Server(cfg logging.Config) logging.Config {
	if t == nil {
		return cfg
	}
	return bulwarkotel.New(bulwarkotel.Config{MeterProvider: noop.NewMeterProvider()}).Server(cfg) // Prometheus has the metrics
}

// observed reports whether a request gets a span. Frequent requests of the platform
// get none.
func observed(r *http.Request) bool {
	return r.URL.Path != "/livez" && r.URL.Path != "/readyz" && r.URL.Path != "/metrics"
}

// Transport starts a span for each call, and sends the trace context with the call.
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
