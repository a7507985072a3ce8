package http_test

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func init() {
	logged := func(base http.RoundTripper) http.RoundTripper {
		return logging.NewTransport(logging.TransportConfig{Base: base, Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))})
	}
	limited := func(base http.RoundTripper) http.RoundTripper {
		return limits.NewTransport(limits.TransportConfig{Base: base, MaxResponseBytes: 1 << 40})
	}
	timed := func(base http.RoundTripper) http.RoundTripper {
		return timeout.NewTransport(timeout.TransportConfig{Base: base, Limit: time.Hour})
	}
	switch os.Getenv("BULWARK_PART") {
	case "logging":
		http.BulwarkWrap = func(base *http.Transport) http.RoundTripper { return logged(base) }
	case "limits":
		http.BulwarkWrap = func(base *http.Transport) http.RoundTripper { return limited(base) }
	case "timeout":
		http.BulwarkWrap = func(base *http.Transport) http.RoundTripper { return timed(base) }
	case "all":
		http.BulwarkWrap = func(base *http.Transport) http.RoundTripper { return logged(timed(limited(base))) }
	}
}
