package testdeps

import (
	"context"
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

// BULWARK_SERVED is the file that gets a byte for each request that the stack has served. Without it there is no stack.
func init() {
	name := os.Getenv("BULWARK_SERVED")
	if name == "" {
		return
	}
	served, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	stack := bulwark.New(bulwark.Config{
		Logging: logging.Config{
			Logger:   slog.New(slog.NewJSONHandler(io.Discard, nil)),
			OnRecord: func(context.Context, logging.Record) { _, _ = served.WriteString(".") },
		},
		Timeout: timeout.Config{Limit: time.Hour},
		Limits:  limits.Config{MaxBodyBytes: 1 << 40},
	})
	http.BulwarkStack = func(h http.Handler) http.Handler {
		return stack(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// logging echoes the request's id by design. Suites compare headers.
			w.Header().Del("X-Request-Id")
			h.ServeHTTP(w, r)
		}))
	}
}
