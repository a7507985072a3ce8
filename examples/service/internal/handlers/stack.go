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
	"github.com/bulwark-go/bulwark/quota"
	"github.com/bulwark-go/bulwark/timeout"
)

// New returns the handler of the service. The limits do not apply to the platform's
// requests, because an overloaded service is alive and its metrics must be
// readable.
//
// store keeps the quota of each client. If store is nil, quotas are kept in this
// process.
func New(cfg config.Config, store quota.Store, log *slog.Logger, metrics *telemetry.Metrics, traces *telemetry.Traces, health *Health, api API) http.Handler {
	errs := table()
	mux := http.NewServeMux()
	mux.Handle("GET /livez", errs.Handler(health.live))
	mux.Handle("GET /readyz", errs.Handler(health.ready))
	mux.Handle("GET /metrics", metrics.Handler())
	mux.Handle("/", bulwark.Chain(perClient(cfg.Quota, store, errs), bounded(cfg.Request, errs))(api.routes(errs)))

	return bulwark.Chain(
		traces.Middleware,
		logging.New(metrics.Server(traces.Server(logging.Config{Logger: log, Sample: quiet}))),
		timeout.New(timeout.Config{
			Limit:        cfg.Request.Timeout,
			Detach:       true, // the middleware around timeout does not reuse the state of a request
			ErrorHandler: errs.Write,
		}),
		errs.Recover,
	)(mux)
}

// perClient refuses clients that exceed their quota, before their requests count
// as in flight.
func perClient(cfg config.Quota, store quota.Store, errs *errmap.Mapper) func(http.Handler) http.Handler {
	trusted, err := cfg.Trusted()
	if err != nil {
		panic(err) // config.Load has checked it
	}
	return quota.New(quota.Config{
		Rate:         quota.Rate{Requests: cfg.Requests, Per: cfg.Per, Burst: cfg.Burst},
		Key:          quota.ByAddress(trusted...),
		Name:         "client",
		Store:        store,
		ErrorHandler: errs.Write,
	})
}

func bounded(cfg config.Request, errs *errmap.Mapper) func(http.Handler) http.Handler {
	return limits.New(limits.Config{
		MaxBodyBytes: cfg.MaxBodyBytes,
		MaxInFlight:  cfg.MaxInFlight,
		MaxQueue:     cfg.MaxQueue,
		ErrorHandler: errs.Write,
	})
}

// quiet leaves frequent requests of the platform out of the log. Package logging
// still keeps the records of requests that fail or are slow.
func quiet(r logging.Record) float64 {
	switch r.Route {
	case "/livez", "/readyz", "/metrics":
		return 0
	}
	return 1
}
