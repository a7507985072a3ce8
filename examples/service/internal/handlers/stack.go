package handlers

import (
	"log/slog"
	"net/http"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/examples/service/config"
	"github.com/bulwark-go/bulwark/examples/service/internal/telemetry"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// New is all that the service serves. What is asked by the platform passes by
// the limits: a service that is full is alive, and its metrics say so.
func New(cfg config.Request, log *slog.Logger, metrics *telemetry.Metrics, traces *telemetry.Traces, health *Health, api API) http.Handler {
	errs := table()
	mux := http.NewServeMux()
	mux.Handle("GET /livez", errs.Handler(health.live))
	mux.Handle("GET /readyz", errs.Handler(health.ready))
	mux.Handle("GET /metrics", metrics.Handler())
	mux.Handle("/", bounded(cfg, errs)(api.routes(errs)))

	return bulwark.Chain(
		metrics.Arrived,
		logging.New(logging.Config{Logger: log, OnRecord: metrics.OnRecord, Sample: quiet}),
		traces.Middleware,
		timeout.New(timeout.Config{Limit: cfg.Timeout, ErrorHandler: errs.Write}),
		errs.Recover,
	)(mux)
}

func bounded(cfg config.Request, errs *errmap.Mapper) func(http.Handler) http.Handler {
	return limits.New(limits.Config{
		MaxBodyBytes: cfg.MaxBodyBytes,
		MaxInFlight:  cfg.MaxInFlight,
		MaxQueue:     cfg.MaxQueue,
		ErrorHandler: errs.Write,
	})
}

// quiet keeps what is asked every few seconds out of the log, unless it fails or
// is slow: logging keeps those lines whatever the share.
func quiet(r logging.Record) float64 {
	switch r.Route {
	case "/livez", "/readyz", "/metrics":
		return 0
	}
	return 1
}
