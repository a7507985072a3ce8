package telemetry_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/examples/service/internal/telemetry"
	"github.com/bulwark-go/bulwark/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMetrics(t *testing.T) {
	m := telemetry.NewMetrics()
	h := logging.New(m.Server(logging.Config{Logger: slog.New(slog.DiscardHandler)}))(http.NotFoundHandler())
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	m.OnLookup("hit")

	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`http_server_request_duration_seconds_count{bulwark_outcome="",error_type="",http_request_method="GET",http_response_status_code="404",`,
		`http_server_active_requests{http_request_method="GET",url_scheme="http"} 0`,
		`cache_lookups_total{result="hit"} 1`,
		`go_goroutines`,
	} {
		assert.Contains(t, w.Body.String(), want)
	}
}

func TestNewTraces(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		environ []string
		on      bool
		wants   []string
	}{
		{"nothing", nil, false, nil},
		{"another program's", []string{"PATH=/bin", "NO_OTEL_=1"}, false, nil},
		{"empty", []string{"OTEL_EXPORTER_OTLP_ENDPOINT="}, false, nil},
		{"disabled", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://x", "OTEL_SDK_DISABLED=true"}, false, nil},
		{"no exporter", []string{"OTEL_SERVICE_NAME=x", "OTEL_TRACES_EXPORTER=none"}, false, nil},
		{"on", []string{"OTEL_SERVICE_NAME=x"}, true, nil},
		{"another exporter and protocol", []string{"OTEL_TRACES_EXPORTER=zipkin", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, false,
			[]string{`OTEL_TRACES_EXPORTER must be otlp: "zipkin"`, `OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf: "grpc"`}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			traces, err := telemetry.NewTraces(t.Context(), tc.environ)
			assert.Equal(t, tc.on, traces != nil)
			if tc.wants == nil {
				require.NoError(t, err)
			}
			for _, want := range tc.wants {
				require.ErrorContains(t, err, want)
			}
			require.NoError(t, traces.Close(t.Context()))
		})
	}
}

// TestWithout: a service without traces has no tracing middleware.
func TestWithout(t *testing.T) {
	var none *telemetry.Traces
	h := http.NewServeMux()
	assert.Same(t, h, none.Middleware(h))
	assert.Same(t, http.DefaultTransport, none.Transport(http.DefaultTransport))
	assert.Equal(t, logging.Config{RequestIDHeader: "X"}, none.Server(logging.Config{RequestIDHeader: "X"}))
}
