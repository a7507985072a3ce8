package bulwarkprometheus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// call asks a service once, with the transport of cfg.
func call(t *testing.T, s *service, cfg logging.TransportConfig, path string) {
	t.Helper()
	cfg.Base, cfg.Logger = s.Client().Transport, slog.New(slog.DiscardHandler)
	res, err := (&http.Client{Transport: logging.NewTransport(cfg)}).Get(s.URL + path)
	if err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		require.NoError(t, res.Body.Close())
	}
	s.next(t)
}

func TestOutcomeOfACallIsInTheLabels(t *testing.T) {
	s := start(t, false, endings)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	for _, tt := range []struct{ path, status, proto, errorType, outcome string }{
		{"/users/7", "200", "1.1", "", ""},
		{"/.env", "404", "1.1", "404", ""},
		{"/broken", "502", "1.1", "502", "error"},
		{"/nothing", "", "", "error", "error"},
		{"/cut", "200", "1.1", "short_body", "short_body"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			reg := prometheus.NewPedanticRegistry()
			m := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg})
			call(t, s, m.Client(logging.TransportConfig{}), tt.path)
			got := (&service{reg: reg}).series(t, "http_client_request_duration_seconds_count", "http_client_active", "bulwark_client")
			assert.Equal(t, []string{
				fmt.Sprintf(`http_client_active_requests{http_request_method="GET",server_address="127.0.0.1",server_port=%q} 0`, u.Port()),
				fmt.Sprintf("http_client_request_duration_seconds_count{bulwark_outcome=%q,error_type=%q,http_request_method=\"GET\","+
					"http_response_status_code=%q,network_protocol_version=%q,server_address=\"127.0.0.1\",server_port=%q} 1",
					tt.outcome, tt.errorType, tt.status, tt.proto, u.Port()),
			}, got)
		})
	}
}

// sends is a RoundTripper without a network.
type sends func(*http.Request) (*http.Response, error)

func (f sends) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCallsAreActiveUntilTheirBodyHasEnded(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Ann") }))
	defer srv.Close()
	client := &http.Client{Transport: logging.NewTransport(m.Client(logging.TransportConfig{
		Base: srv.Client().Transport, Logger: slog.New(slog.DiscardHandler),
	}))}
	defer client.CloseIdleConnections()
	res, err := client.Get(srv.URL)
	require.NoError(t, err)
	assert.Regexp(t, `\} 1$`, (&service{reg: reg}).series(t, "http_client_active_requests")[0])
	assert.Empty(t, (&service{reg: reg}).series(t, "http_client_request_duration"))
	_, err = io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Regexp(t, `\} 0$`, (&service{reg: reg}).series(t, "http_client_active_requests")[0])
	require.NoError(t, res.Body.Close())
}

// A call is refused because the response is too large, or because there is no time left.
func TestRefusalsOfCalls(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg})
	client := &http.Client{Transport: logging.NewTransport(m.Client(logging.TransportConfig{
		Logger: slog.New(slog.DiscardHandler),
		Base: timeout.NewTransport(timeout.TransportConfig{
			MinBudget: time.Second,
			Base: limits.NewTransport(limits.TransportConfig{
				MaxResponseBytes: 1,
				Base: sends(func(r *http.Request) (*http.Response, error) {
					if r.Header.Get("Fail") != "" {
						return nil, errors.New("it fails")
					}
					return &http.Response{StatusCode: 200, ContentLength: 2, Body: io.NopCloser(strings.NewReader("xx")), Request: r}, nil
				}),
			}),
		}),
	}))}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://third.example", nil)
	require.NoError(t, err)
	for range 2 {
		_, err = client.Do(req)
		require.Error(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = client.Do(req.WithContext(ctx))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	req.Header.Set("Fail", "1")
	_, err = client.Do(req)
	require.Error(t, err)

	assert.Equal(t, []string{
		`bulwark_client_refusals_total{bulwark_reason="budget",server_address="third.example",server_port="443"} 1`,
		`bulwark_client_refusals_total{bulwark_reason="response",server_address="third.example",server_port="443"} 2`,
	}, (&service{reg: reg}).series(t, "bulwark_client_refusals"))
	assert.Regexp(t, `\} 0$`, (&service{reg: reg}).series(t, "http_client_active_requests")[0])
}

// Hosts that other servers choose, as the targets of redirects, do not make endless
// series, and each call that began has ended.
func TestHostsBeyondMaxServersAreOne(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg, MaxServers: 2})
	cfg := m.Client(logging.TransportConfig{})
	for round := range 2 {
		for i := range 5 {
			cfg.OnStart(t.Context(), logging.Record{Method: "GET", Server: fmt.Sprintf("host%d", i), Port: 80 + i})
		}
		assert.Equal(t, []string{
			`http_client_active_requests{http_request_method="GET",server_address="_OTHER",server_port=""} 3`,
			`http_client_active_requests{http_request_method="GET",server_address="host0",server_port="80"} 1`,
			`http_client_active_requests{http_request_method="GET",server_address="host1",server_port="81"} 1`,
		}, (&service{reg: reg}).series(t, "http_client_active_requests"), round)
		for i := range 5 {
			cfg.OnRecord(t.Context(), logging.Record{Method: "GET", Server: fmt.Sprintf("host%d", i), Port: 80 + i, Outcome: logging.OutcomeOK, Status: 200})
		}
	}
	for _, line := range (&service{reg: reg}).series(t, "http_client_active_requests") {
		assert.Regexp(t, `\} 0$`, line)
	}
	assert.Len(t, (&service{reg: reg}).series(t, "http_client_request_duration_seconds_count"), 3)
}
