package stacks

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// deadlineByHand is what a service without a library writes. It enforces nothing.
func deadlineByHand(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// recorder is a status recorder as services write it.
type recorder struct {
	http.ResponseWriter
	start  time.Time
	id     string
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

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// byHand returns a recorder for a response, and sets a request id.
func byHand(w http.ResponseWriter) *recorder {
	var raw [16]byte
	_, _ = rand.Read(raw[:])
	id := hex.EncodeToString(raw[:])
	w.Header().Set("X-Request-Id", id)
	return &recorder{ResponseWriter: w, start: time.Now(), id: id, status: http.StatusOK}
}

// log writes the same twelve attributes as Bulwark. It always says that the
// response was sent.
func (r *recorder) log(log *slog.Logger, req *http.Request) {
	host, _, _ := net.SplitHostPort(req.RemoteAddr)
	log.LogAttrs(req.Context(), slog.LevelInfo, "http request",
		slog.String("http.request.method", req.Method),
		slog.String("url.path", req.URL.Path),
		slog.String("http.route", req.Pattern),
		slog.Int("http.response.status_code", r.status),
		slog.Int64("http.request.body.size", max(req.ContentLength, 0)),
		slog.Int64("http.response.body.size", r.bytes),
		slog.Float64("http.server.request.duration", time.Since(r.start).Seconds()),
		slog.String("client.address", host),
		slog.String("user_agent.original", req.UserAgent()),
		slog.String("network.protocol.version", "1.1"),
		slog.String("outcome", "ok"),
		slog.String("request_id", r.id),
	)
}

func logByHand(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := byHand(w)
		next.ServeHTTP(rec, r)
		rec.log(log, r)
	})
}

// allByHand is a log record, a deadline and a body limit in one function, as cheap
// as possible. If the deadline passes or the client leaves, only the handler's
// context ends.
func allByHand(log *slog.Logger, limit time.Duration, body int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := byHand(w)
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		r = r.WithContext(ctx) // the mux sets the route in this request
		r.Body = http.MaxBytesReader(w, r.Body, body)
		next.ServeHTTP(rec, r)
		rec.log(log, r)
	})
}
