package bulwarkotel_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// A tracing middleware around the stack: its span knows how the request ended.
func Example() {
	spans := tracetest.NewInMemoryExporter() // yours sends them to a collector
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))

	telemetry := bulwarkotel.New(bulwarkotel.Config{})
	stack := bulwark.New(bulwark.Config{
		Logging: telemetry.Server(logging.Config{Logger: slog.New(slog.DiscardHandler)}),
		Timeout: timeout.Config{Limit: 20 * time.Millisecond, Detach: true},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	handler := otelhttp.NewHandler(stack(mux), "",
		otelhttp.WithTracerProvider(provider), otelhttp.WithMeterProvider(noop.NewMeterProvider()))

	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/slow", nil))
	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name, span.Status.Code)
		for _, a := range span.Attributes {
			if a.Key == "bulwark.outcome" || a.Key == "http.response.status_code" {
				fmt.Println(a.Key, a.Value.AsInterface())
			}
		}
	}
	// Output:
	// GET /slow Error
	// bulwark.outcome deadline
	// http.response.status_code 504
}
