package logging_test

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/logging"
)

// discardWriter is a response writer that costs nothing, with the optional
// interfaces of an HTTP/1 server's.
type discardWriter struct{ h http.Header }

func (w *discardWriter) Header() http.Header               { return w.h }
func (w *discardWriter) Write(p []byte) (int, error)       { return len(p), nil }
func (w *discardWriter) WriteString(s string) (int, error) { return len(s), nil }
func (w *discardWriter) WriteHeader(int)                   {}
func (w *discardWriter) Flush()                            {}
func (w *discardWriter) CloseNotify() <-chan bool          { return nil }
func (w *discardWriter) ReadFrom(io.Reader) (int64, error) { return 0, nil }
func (w *discardWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}

func benchRequest() *http.Request {
	r := httptest.NewRequest("GET", "/users/123", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	r.Pattern = "GET /users/{id}"
	return r
}

var answer = []byte(`{"message":"User 123"}`)

func bareHandler(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(answer)
}

// handWritten is what one writes by hand: a status recorder, an id, and the same
// twelve attributes.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(code int) { r.status = code; r.ResponseWriter.WriteHeader(code) }

func (r *recorder) Write(p []byte) (int, error) {
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func handWritten(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		var raw [16]byte
		_, _ = rand.Read(raw[:])
		id := hex.EncodeToString(raw[:])
		w.Header().Set("X-Request-Id", id)
		rec := &recorder{ResponseWriter: w, status: 200}
		next.ServeHTTP(rec, r)
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		log.LogAttrs(r.Context(), slog.LevelInfo, "http request",
			slog.String("http.request.method", r.Method),
			slog.String("url.path", r.URL.Path),
			slog.String("http.route", r.Pattern),
			slog.Int("http.response.status_code", rec.status),
			slog.Int64("http.request.body.size", max(r.ContentLength, 0)),
			slog.Int64("http.response.body.size", rec.bytes),
			slog.Float64("http.server.request.duration", time.Since(start).Seconds()),
			slog.String("client.address", host),
			slog.String("user_agent.original", r.UserAgent()),
			slog.String("network.protocol.version", "1.1"),
			slog.String("request_id", id),
			slog.String("outcome", "ok"),
		)
	})
}

func benchmark(b *testing.B, h http.Handler) {
	w := &discardWriter{http.Header{}}
	r := benchRequest()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func BenchmarkBare(b *testing.B) { benchmark(b, http.HandlerFunc(bareHandler)) }

func BenchmarkHandWritten(b *testing.B) {
	benchmark(b, handWritten(slog.New(slog.NewJSONHandler(io.Discard, nil)), http.HandlerFunc(bareHandler))) //nolint:sloglint // the JSON is what costs
}

func BenchmarkLogging(b *testing.B) {
	log := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // the JSON is what costs
	benchmark(b, logging.New(logging.Config{Logger: log})(http.HandlerFunc(bareHandler)))
}

func BenchmarkDisabled(b *testing.B) {
	benchmark(b, logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler)})(http.HandlerFunc(bareHandler)))
}
