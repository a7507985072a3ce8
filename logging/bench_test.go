package logging_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bulwark-go/bulwark/logging"
)

// discardWriter is a response writer that does nothing, with the optional interfaces
// of an HTTP/1 server's writer.
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

func benchmark(b *testing.B, h http.Handler) {
	w := &discardWriter{http.Header{}}
	r := benchRequest()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

// The cost of a log record written by hand, and of other libraries, is measured in
// the module benchmarks.

func BenchmarkBare(b *testing.B) { benchmark(b, http.HandlerFunc(bareHandler)) }

func BenchmarkLogging(b *testing.B) {
	log := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // the JSON is what costs
	benchmark(b, logging.New(logging.Config{Logger: log})(http.HandlerFunc(bareHandler)))
}

func BenchmarkDisabled(b *testing.B) {
	benchmark(b, logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler)})(http.HandlerFunc(bareHandler)))
}
