package logging_test

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/logging"
)

// recorder is the status recorder of a log record that is written by hand.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(code int) {
	r.status = code
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(p []byte) (int, error) {
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// byHand writes the same twelve attributes as logging.New.
func byHand(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		var raw [16]byte
		_, _ = rand.Read(raw[:])
		id := hex.EncodeToString(raw[:])
		w.Header().Set("X-Request-Id", id)
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
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
			slog.String("outcome", "ok"),
			slog.String("request_id", id),
		)
	})
}

// jsonMux answers as real handlers do: behind a mux, with a header and a body.
func jsonMux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
	return mux
}

// serveMany measures the time of n requests.
func serveMany(h http.Handler, r *http.Request, n int) time.Duration {
	start := time.Now()
	for range n {
		h.ServeHTTP(&discardWriter{make(http.Header, 4)}, r)
	}
	return time.Since(start)
}

// BenchmarkAgainstHand alternates between the variants, so that other load on the
// machine affects both. It reports what logging.New adds to the bare handler, divided
// by what a log record written by hand adds.
func BenchmarkAgainstHand(b *testing.B) {
	log := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // the JSON is what costs
	mux := jsonMux()
	handlers := []http.Handler{mux, byHand(log, mux), logging.New(logging.Config{Logger: log})(mux)}
	least := []time.Duration{math.MaxInt64, math.MaxInt64, math.MaxInt64}
	r := benchRequest()
	const requests = 200
	for b.Loop() {
		for i, h := range handlers {
			least[i] = min(least[i], serveMany(h, r, requests))
		}
	}
	b.ReportMetric(float64(least[2]-least[0])/float64(least[1]-least[0]), "ratio")
	b.ReportMetric(float64(least[1]-least[0])/requests, "ns/hand")
	b.ReportMetric(float64(least[2]-least[0])/requests, "ns/ours")
}
