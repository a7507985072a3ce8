package stacks

import (
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/logging"
)

// The names of the contenders for metrics.
const (
	Promhttp           = "promhttp InstrumentHandler"
	Otelhttp           = "otelhttp"
	Prometheus         = "bulwarkprometheus, beside a log record"
	OpenTelemetry      = "bulwarkotel, beside a log record"
	PrometheusAlone    = "bulwarkprometheus, without a log record"
	OpenTelemetryAlone = "bulwarkotel, without a log record"
)

// Metrics returns the contenders that count and time the requests of h. promhttp
// has the status and the method but not the route. otelhttp makes no spans here.
func Metrics(h http.Handler) []measure.Contender {
	mux := routed(h)
	json, none := logging.Config{Logger: jsonTo(io.Discard)}, logging.Config{Logger: slog.New(slog.DiscardHandler)}
	return []measure.Contender{
		{Name: "bare", Handler: mux},
		{Name: Promhttp, Handler: inPromhttp(mux)},
		{Name: Otelhttp, Handler: otelhttp.NewHandler(mux, "", otelhttp.WithMeterProvider(meters()), otelhttp.WithTracerProvider(noop.NewTracerProvider()))},
		{Name: PrometheusAlone, Handler: logging.New(inPrometheus().Server(none))(mux)},
		{Name: OpenTelemetryAlone, Handler: logging.New(inOpenTelemetry().Server(none))(mux)},
		{Name: "a log record", Handler: logging.New(json)(mux)},
		{Name: Prometheus, Handler: logging.New(inPrometheus().Server(json))(mux), Base: "a log record"},
		{Name: OpenTelemetry, Handler: logging.New(inOpenTelemetry().Server(json))(mux), Base: "a log record"},
	}
}

func meters() *sdkmetric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

func inOpenTelemetry() *bulwarkotel.Telemetry {
	return bulwarkotel.New(bulwarkotel.Config{MeterProvider: meters()})
}

func inPrometheus() *bulwarkprometheus.Metrics {
	return bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: prometheus.NewRegistry()})
}

// inPromhttp counts the requests in flight and times them, as promhttp's
// documentation shows.
func inPromhttp(h http.Handler) http.Handler {
	inFlight := prometheus.NewGauge(prometheus.GaugeOpts{Name: "in_flight_requests", Help: "Requests being served."})
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "request_duration_seconds", Help: "Duration of requests.",
		Buckets: []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10},
	}, []string{"code", "method"})
	prometheus.NewRegistry().MustRegister(inFlight, took)
	return promhttp.InstrumentHandlerInFlight(inFlight, promhttp.InstrumentHandlerDuration(took, h))
}
