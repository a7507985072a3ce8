package bulwarkprometheus_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/logging"
)

// The metrics of a service, at /metrics of the service itself.
func Example() {
	registry := prometheus.NewRegistry()
	metrics := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: registry})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Ann") })
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	stack := bulwark.New(bulwark.Config{Logging: metrics.Server(logging.Config{Logger: slog.New(slog.DiscardHandler)})})
	handler := stack(mux)

	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/users/7", nil))
	scrape := httptest.NewRecorder()
	handler.ServeHTTP(scrape, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.SplitSeq(scrape.Body.String(), "\n") {
		if strings.HasPrefix(line, "http_server_request_duration_seconds_count") || strings.HasPrefix(line, "http_server_active") {
			fmt.Println(strings.ReplaceAll(line, ",", "\n  "))
		}
	}
	// Output:
	// http_server_active_requests{http_request_method="GET"
	//   url_scheme="http"} 1
	// http_server_request_duration_seconds_count{bulwark_outcome=""
	//   error_type=""
	//   http_request_method="GET"
	//   http_response_status_code="200"
	//   http_route="/users/{id}"
	//   network_protocol_version="1.1"
	//   url_scheme="http"} 1
}
