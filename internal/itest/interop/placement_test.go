package interop_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/cors"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// docs/middleware.md shows the code below.

func withCORS(log *slog.Logger, errs *errmap.Mapper, mux http.Handler) http.Handler {
	policy := cors.New(cors.Options{AllowedOrigins: []string{"https://app.example.org"}})
	return bulwark.Chain(
		logging.New(logging.Config{Logger: log}),
		policy.Handler,
		timeout.New(timeout.Config{Limit: time.Second, ErrorHandler: errs.Write}),
		limits.New(limits.Config{MaxBodyBytes: 1 << 20, ErrorHandler: errs.Write}),
		errs.Recover,
	)(mux)
}

var errUnauthorized = errors.New("no valid token")

func withAuth(errs *errmap.Mapper, authenticate func(*http.Request) (user string, ok bool), mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := authenticate(r)
		if !ok {
			errs.Write(w, r, errUnauthorized) // 401 by a rule
			return
		}
		logging.Add(r.Context(), slog.String("user.id", user))
		mux.ServeHTTP(w, r)
	})
}

func withCompression(stack func(http.Handler) http.Handler, mux http.Handler) http.Handler {
	return stack(gzhttp.GzipHandler(mux))
}

func withTracing(log *slog.Logger, errs *errmap.Mapper, mux http.Handler) http.Handler {
	telemetry := bulwarkotel.New(bulwarkotel.Config{})
	stack := bulwark.New(bulwark.Config{
		Logging: telemetry.Server(logging.Config{Logger: log}),
		Timeout: timeout.Config{Limit: time.Second, Detach: true},
		Errors:  errs,
	})
	return otelhttp.NewHandler(stack(mux), "api", otelhttp.WithMeterProvider(noop.NewMeterProvider()))
}

func withMetrics(log *slog.Logger, errs *errmap.Mapper, mux *http.ServeMux) http.Handler {
	metrics := bulwarkprometheus.New(bulwarkprometheus.Config{})
	mux.Handle("GET /metrics", promhttp.Handler())
	stack := bulwark.New(bulwark.Config{Logging: metrics.Server(logging.Config{Logger: log}), Errors: errs})
	return stack(mux)
}

var errCrossOrigin = errors.New("cross-origin request")

func withCSRF(stack func(http.Handler) http.Handler, errs *errmap.Mapper, mux http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(errs.Handler(func(http.ResponseWriter, *http.Request) error {
		return errCrossOrigin // 403 by a rule
	}))
	return stack(protection.Handler(mux))
}

func withSessions(stack, sessions func(http.Handler) http.Handler, mux http.Handler) http.Handler {
	return stack(sessions(mux))
}

func addProfile(mux *http.ServeMux) {
	profile := http.HandlerFunc(pprof.Profile)
	mux.Handle("GET /debug/pprof/profile", timeout.Override(2*time.Minute)(profile))
}

func withoutHealthChecks(r logging.Record) float64 {
	if r.Route == "/healthz" {
		return 0 // but failures are always kept
	}
	return 1
}
