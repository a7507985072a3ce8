package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
)

// lines is a log on which a test can wait for a record.
type lines struct {
	slog.Handler
	buf   *lockedBuffer
	wrote chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := bytes.Clone(l.b.Bytes())
	l.b.Reset()
	return p
}

func newLines() *lines {
	b := &lockedBuffer{}
	return &lines{slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}), b, make(chan struct{}, 1000)}
}

func (l *lines) logger() *slog.Logger { return slog.New(l) }

func (l *lines) Handle(ctx context.Context, r slog.Record) error {
	err := l.Handler.Handle(ctx, r)
	l.wrote <- struct{}{}
	return err
}

// next waits for the next record. Another record that was written meanwhile is an
// error.
func (l *lines) next(t *testing.T) map[string]any {
	t.Helper()
	select {
	case <-l.wrote:
	case <-time.After(10 * time.Second):
		t.Fatal("no log record")
	}
	raw := l.buf.take()
	require.Equal(t, 1, bytes.Count(raw, []byte("\n")), "one record: %s", raw)
	m := map[string]any{}
	require.NoError(t, json.Unmarshal(raw, &m), "%s", raw)
	m["raw"] = string(raw)
	return m
}

// none fails if anything was written.
func (l *lines) none(t *testing.T) {
	t.Helper()
	require.Empty(t, string(l.buf.take()))
}

// serve runs one request through the middleware, without a server.
func serve(t *testing.T, cfg logging.Config, r *http.Request, h http.HandlerFunc) (map[string]any, *httptest.ResponseRecorder) {
	t.Helper()
	l := newLines()
	cfg.Logger = l.logger()
	rec := httptest.NewRecorder()
	logging.New(cfg)(h).ServeHTTP(rec, r)
	return l.next(t), rec
}

func TestDefaultRecord(t *testing.T) {
	r := httptest.NewRequest("GET", "/users/7?token=secret", nil)
	r.Header.Set("User-Agent", "curl/8")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		_, _ = w.Write([]byte("hello"))
	})
	m, rec := serve(t, logging.Config{}, r, mux.ServeHTTP)
	t.Log(m["raw"])
	require.Equal(t, "GET", m["http.request.method"])
	require.Equal(t, "/users/7", m["url.path"])
	require.Equal(t, "/users/{id}", m["http.route"])
	require.EqualValues(t, 201, m["http.response.status_code"])
	require.EqualValues(t, 0, m["http.request.body.size"])
	require.EqualValues(t, 5, m["http.response.body.size"])
	require.IsType(t, 0.5, m["http.server.request.duration"])
	require.Equal(t, "192.0.2.1", m["client.address"])
	require.Equal(t, "curl/8", m["user_agent.original"])
	require.Equal(t, "1.1", m["network.protocol.version"])
	require.Equal(t, "ok", m["outcome"])
	require.Equal(t, "token=REDACTED", m["url.query"])
	require.Equal(t, rec.Header().Get("X-Request-Id"), m["request_id"])
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, m["request_id"])
	require.Equal(t, "INFO", m["level"])
}

func logAttr(k, v string) slog.Attr { return slog.String(k, v) }

func (l *lines) WithAttrs(a []slog.Attr) slog.Handler {
	return &lines{l.Handler.WithAttrs(a), l.buf, l.wrote}
}
