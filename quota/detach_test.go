package quota_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/quota"
	"github.com/bulwark-go/bulwark/timeout"
)

// A quota around the deadline does not keep an HTTP/2 client from a complete
// response while the handler is stuck.
func TestDeadlineInsideQuotaOnHTTP2(t *testing.T) {
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stuck", func(http.ResponseWriter, *http.Request) { <-release })
	limit := quota.New(quota.Config{Rate: quota.Rate{Requests: 10, Per: time.Minute}})
	deadline := timeout.New(timeout.Config{Limit: 50 * time.Millisecond})
	srv := testhttp.HTTP2.Start(t, limit(deadline(mux)))
	defer close(release)

	res, err := srv.Client().Get(srv.URL + "/stuck")
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err, "the stream ends cleanly")
	assert.Equal(t, "HTTP/2.0", res.Proto)
	assert.Equal(t, http.StatusGatewayTimeout, res.StatusCode)
	assert.Equal(t, "Gateway Timeout\n", string(body))
	assert.NotEmpty(t, res.Header.Get("RateLimit"))
}
