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

// deadlineByHand is what a service writes that has no library. It enforces
// nothing.
func deadlineByHand(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// recorder is the status recorder that is written by hand.
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

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// logByHand writes the same twelve attributes as Bulwark. It says 200 whatever
// becomes of the response.
func logByHand(log *slog.Logger, next http.Handler) http.Handler {
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
