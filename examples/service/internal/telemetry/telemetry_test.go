package telemetry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/examples/service/internal/telemetry"
	"github.com/bulwark-go/bulwark/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMetrics(t *testing.T) {
	m := telemetry.NewMetrics()
	h := m.Arrived(http.NotFoundHandler())
	for range 4 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}
	for _, r := range []logging.Record{
		{Route: "/users/{id}", Method: "GET", Status: 200, Outcome: logging.OK, Duration: 30 * time.Millisecond},
		{Route: "/users/{id}", Method: "GET", Status: 504, Outcome: logging.Deadline, Abandoned: true},
		{Route: "/users", Method: "POST", Status: 413, Outcome: logging.Refused},
	} {
		m.OnRecord(context.Background(), r)
	}
	m.OnCall(context.Background(), logging.Record{Outcome: logging.Error})
	m.OnLookup("hit")

	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`http_server_request_duration_seconds_bucket{method="GET",outcome="ok",route="/users/{id}",status="2xx",le="0.025"} 0`,
		`http_server_request_duration_seconds_bucket{method="GET",outcome="ok",route="/users/{id}",status="2xx",le="0.05"} 1`,
		`http_server_request_duration_seconds_count{method="GET",outcome="deadline",route="/users/{id}",status="5xx"} 1`,
		`http_server_requests_refused_total{status="413"} 1`,
		`http_server_handlers_abandoned_total{route="/users/{id}"} 1`,
		`http_server_requests_in_flight 1`,
		`http_client_request_duration_seconds_count{outcome="error",status="none"} 1`,
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
		{"somebody else's", []string{"PATH=/bin", "NO_OTEL_=1"}, false, nil},
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

// TestWithout: a service without traces has nothing of them around it.
func TestWithout(t *testing.T) {
	var none *telemetry.Traces
	h := http.NewServeMux()
	assert.Same(t, h, none.Middleware(h))
	assert.Same(t, http.DefaultTransport, none.Transport(http.DefaultTransport))
}
