package bulwarkprometheus_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
)

// promtool is Prometheus' own tool. Debian has it in its package prometheus.
// PROMTOOL=require makes its absence a failure.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		require.NotEqual(t, "require", os.Getenv("PROMTOOL"), "promtool is not installed")
		t.Skip("promtool is not installed")
	}
	return path
}

// Prometheus itself parses all of the metrics and does not complain about their names,
// units and help.
func TestPromtoolHasNoComplaint(t *testing.T) {
	path := promtool(t)
	s := start(t, false, endings)
	for _, p := range []string{"/users/7", "/.env", "/broken", "/panic", "/cut", "/stuck", "/slow", "/stream"} {
		s.get(t, p)
	}
	s.do(t, "POST", "/upload", strings.NewReader(strings.Repeat("x", 2000)))
	hooks := s.metrics.Server(logging.Config{})
	hooks.OnRecord(t.Context(), logging.Record{QueueWait: 1e9, Outcome: logging.OutcomeOK})
	call(t, s, s.metrics.Client(logging.TransportConfig{}), "/users/7")
	s.metrics.Client(logging.TransportConfig{}).OnRecord(t.Context(), logging.Record{Cause: &limits.Error{Reason: limits.ReasonResponse}})

	text := scrape(t, s.reg, "text/plain")
	assert.Equal(t, 9, strings.Count(text, "# TYPE "), "all of them")
	cmd := exec.Command(path, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Empty(t, string(out))
}
