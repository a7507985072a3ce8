package http_test

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func bulwarkStack(h http.Handler) http.Handler {
	if h == nil {
		h = http.DefaultServeMux
	}
	var (
		logged  = logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))})
		limited = limits.New(limits.Config{MaxBodyBytes: 1 << 40})
		timed   = timeout.New(timeout.Config{Limit: time.Hour})
	)
	// logging echoes the request's id by design; the suite compares headers.
	unnamed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Del("X-Request-Id")
		h.ServeHTTP(w, r)
	})
	switch os.Getenv("BULWARK_PART") {
	case "logging":
		return logged(unnamed)
	case "limits":
		return limited(h)
	case "timeout":
		return timed(h)
	case "all":
		return bulwark.Chain(logged, timed, limited)(unnamed)
	}
	return h
}
