package handlers_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/examples/service/config"
	"github.com/bulwark-go/bulwark/examples/service/internal/handlers"
	"github.com/bulwark-go/bulwark/examples/service/internal/telemetry"
)

// written passes the log records to the test that waits for them.
type written chan string

func (w written) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

// On HTTP/2 a handler that ignores its context is left behind at the deadline, and its
// client gets the complete answer and a clean end, with tracing around.
func TestStuckHandlerOnHTTP2(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	traces, err := telemetry.NewTraces(t.Context(), os.Environ())
	require.NoError(t, err)
	defer func() { assert.NoError(t, traces.Close(context.Background())) }()

	leave := make(chan struct{})
	f := fake{user: func(context.Context) error { <-leave; return nil }}
	cfg := limits
	cfg.Timeout = 20 * time.Millisecond
	lines := make(written, 2)
	srv := httptest.NewUnstartedServer(handlers.New(config.Config{Request: cfg, Quota: rate}, nil, slog.New(slog.NewJSONHandler(lines, nil)),
		telemetry.NewMetrics(), traces, &handlers.Health{Ping: f.Ping}, handlers.API{Users: f, Creator: f, Reputation: f}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()

	res, err := srv.Client().Get(srv.URL + "/users/1")
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err, "the stream ends cleanly")
	assert.Equal(t, 2, res.ProtoMajor)
	assert.Equal(t, http.StatusGatewayTimeout, res.StatusCode)
	assert.JSONEq(t, `{"error":"timeout"}`, string(body))
	assert.Contains(t, <-lines, `"abandoned":true`)
	close(leave)
	assert.Contains(t, <-lines, "http handler ended late")
}
