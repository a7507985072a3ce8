package interop_test

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
)

// line is the part of a log record that these tests check.
type line struct {
	Msg       string  `json:"msg"`
	Level     string  `json:"level"`
	Method    string  `json:"http.request.method"`
	Path      string  `json:"url.path"`
	Route     string  `json:"http.route"`
	Status    int     `json:"http.response.status_code"`
	Intended  int     `json:"status_intended"`
	In        int64   `json:"http.request.body.size"`
	Out       int64   `json:"http.response.body.size"`
	Seconds   float64 `json:"http.server.request.duration"`
	Client    string  `json:"client.address"`
	Proto     string  `json:"network.protocol.version"`
	Outcome   string  `json:"outcome"`
	RequestID string  `json:"request_id"`
	Upstream  string  `json:"request_id_upstream"`
	TraceID   string  `json:"trace_id"`
	SpanID    string  `json:"span_id"`
	Error     string  `json:"error.message"`
	ErrorType string  `json:"error.type"`
	Panic     string  `json:"exception.message"`
	Stack     string  `json:"exception.stacktrace"`
	Abandoned bool    `json:"abandoned"`
	TTFB      float64 `json:"ttfb"`
}

// lines are the log records of a server's requests, in order. The notes of handlers that
// outlived their requests come at any time.
type lines chan line

func (l lines) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// Write takes a record: a slog.JSONHandler makes one call for each.
func (l lines) Write(p []byte) (int, error) {
	var parsed line
	if err := json.Unmarshal(p, &parsed); err != nil {
		return 0, err
	}
	if parsed.Msg != "http handler ended late" {
		l <- parsed
	}
	return len(p), nil
}

// next waits for the next record.
func (l lines) next(t *testing.T) line {
	t.Helper()
	select {
	case got := <-l:
		return got
	case <-time.After(watchdog):
		require.Fail(t, "no log record")
		return line{}
	}
}

// logged waits for the log record of a request and checks what every record must have.
func (s *server) logged(t *testing.T, status int, outcome logging.Outcome) line {
	t.Helper()
	got := s.lines.next(t)
	assert.Equal(t, status, got.Status, "status in the log record")
	assert.Equal(t, string(outcome), got.Outcome)
	assert.NotEmpty(t, got.RequestID)
	return got
}

// quiet asserts that no further record was written.
func (s *server) quiet(t *testing.T) {
	t.Helper()
	assert.Empty(t, s.lines)
}
