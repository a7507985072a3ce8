package sizes_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/docs/recipes/sizes"
	"github.com/bulwark-go/bulwark/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The module's metrics and your own come from the same record.
func TestSizes(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	metrics := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	stack := bulwark.New(bulwark.Config{
		Logging: metrics.Server(logging.Config{Logger: slog.New(slog.DiscardHandler), OnRecord: sizes.OnRecord(reg)}),
	})
	srv := httptest.NewServer(stack(mux))
	res, err := srv.Client().Post(srv.URL+"/echo", "text/plain", strings.NewReader(strings.Repeat("x", 1500)))
	assert.NoError(t, err)
	assert.NoError(t, res.Body.Close())
	srv.Close() // waits for the record

	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`http_server_request_body_size_bytes_sum{http_route="/echo"} 1500`,
		`http_server_request_body_size_bytes_bucket{http_route="/echo",le="1000"} 0`,
		`http_server_request_body_size_bytes_bucket{http_route="/echo",le="10000"} 1`,
		`http_server_response_body_size_bytes_sum{http_route="/echo"} 1500`,
		`http_server_request_duration_seconds_count{bulwark_outcome="",error_type="",http_request_method="POST",http_response_status_code="200",http_route="/echo",`,
	} {
		assert.Contains(t, w.Body.String(), want)
	}
}
