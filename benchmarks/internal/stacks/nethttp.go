package stacks

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httplog/v3"
	"github.com/rs/zerolog"
	"github.com/rs/zerolog/hlog"
	sloghttp "github.com/samber/slog-http"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// route is the route of the handlers, in the syntax of net/http and chi.
const route = "/users/{id}"

// routed returns h behind a mux, because real services have a mux.
func routed(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+route, h)
	mux.Handle("POST "+route, h)
	return mux
}

// bare is h behind a mux, and nothing else.
func bare(h Handler) http.Handler { return routed(answered(h)) }

// answered turns the error of h into the response that a service without a library
// writes.
func answered(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			http.Error(w, http.StatusText(status(err)), status(err))
		}
	})
}

func status(err error) int {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

func bulwarkStack() Stack {
	return Stack{Name: Bulwark, Framework: NetHTTPOnly, Bare: bare, Status: "http.response.status_code", Outcome: "outcome", Message: "http request",
		New: func(cfg Config, h Handler) http.Handler {
			errs := errmap.New(errmap.Config{})
			return aroundWith(cfg, errs)(routed(errs.Handler(h)))
		}}
}

// around returns Bulwark's stack in the documented order.
func around(cfg Config) func(http.Handler) http.Handler {
	return aroundWith(cfg, errmap.New(errmap.Config{}))
}

func aroundWith(cfg Config, errs *errmap.Mapper) func(http.Handler) http.Handler {
	return bulwark.Chain(
		logging.New(logging.Config{Logger: jsonTo(cfg.Log)}),
		timeout.New(timeout.Config{Limit: cfg.Limit, ErrorHandler: errs.Write}),
		limits.New(limits.Config{MaxBodyBytes: cfg.Body, MaxDecodedBytes: cfg.Decoded, MaxInFlight: cfg.Flight, ErrorHandler: errs.Write}),
		errs.Recover,
	)
}

// floorStack is the code by hand. It enforces nothing.
func floorStack() Stack {
	return Stack{Name: Floor, Framework: NetHTTPOnly, Bare: bare, Status: "http.response.status_code",
		New: func(cfg Config, h Handler) http.Handler {
			return allByHand(jsonTo(cfg.Log), cfg.Limit, cfg.Body, bare(h))
		}}
}

func netHTTPStack() Stack {
	return Stack{Name: NetHTTP, Framework: NetHTTPOnly, Bare: bare, Status: "response.status",
		New: func(cfg Config, h Handler) http.Handler {
			inner := sloghttp.Recovery(http.TimeoutHandler(http.MaxBytesHandler(bare(h), cfg.Body), cfg.Limit, ""))
			return sloghttp.NewWithConfig(jsonTo(cfg.Log), slogHTTP())(inner)
		}}
}

func slogHTTP() sloghttp.Config {
	cfg := sloghttp.DefaultConfig()
	cfg.WithUserAgent = true
	return cfg
}

func chiStack() Stack {
	router := func(h Handler, mws ...func(http.Handler) http.Handler) http.Handler {
		r := chi.NewRouter()
		r.Use(mws...)
		r.Handle(route, answered(h))
		return r
	}
	return Stack{Name: Chi, Framework: "chi", Status: "http.response.status_code",
		Bare: func(h Handler) http.Handler { return router(h) },
		New: func(cfg Config, h Handler) http.Handler {
			mws := []func(http.Handler) http.Handler{
				httplog.RequestLogger(jsonTo(cfg.Log), &httplog.Options{Schema: httplog.SchemaOTEL, RecoverPanics: true}),
				middleware.Timeout(cfg.Limit),
				middleware.RequestSize(cfg.Body),
			}
			if cfg.Flight > 0 {
				mws = append(mws, middleware.Throttle(cfg.Flight))
			}
			return router(h, mws...)
		}}
}

func hlogStack() Stack {
	return Stack{Name: Hlog, Framework: NetHTTPOnly, Bare: bare, Status: "status",
		New: func(cfg Config, h Handler) http.Handler {
			log := zerolog.New(cfg.Log).With().Timestamp().Logger()
			return inHlog(log, http.TimeoutHandler(http.MaxBytesHandler(bare(h), cfg.Body), cfg.Limit, ""))
		}}
}

// inHlog is the chain of zerolog's example.
func inHlog(log zerolog.Logger, h http.Handler) http.Handler {
	for _, mw := range []func(http.Handler) http.Handler{ // the innermost first
		hlog.RequestIDHandler("request_id", "X-Request-Id"),
		hlog.UserAgentHandler("user_agent"),
		hlog.RemoteIPHandler("ip"),
		hlog.AccessHandler(func(r *http.Request, status, size int, d time.Duration) {
			hlog.FromRequest(r).Info().
				Str("method", r.Method).Stringer("url", r.URL).
				Int("status", status).Int("size", size).Dur("duration", d).
				Msg("")
		}),
		hlog.NewHandler(log),
	} {
		h = mw(h)
	}
	return h
}

// failsafeStack has a deadline, but no log. The body is limited by
// http.MaxBytesHandler.
func failsafeStack() Stack {
	return Stack{Name: "failsafe-go: Timeout, MaxBytesHandler", Framework: NetHTTPOnly, Bare: bare,
		New: func(cfg Config, h Handler) http.Handler {
			policies := []failsafe.Policy[*http.Response]{failsafetimeout.New[*http.Response](cfg.Limit)}
			if cfg.Flight > 0 {
				policies = append(policies, bulkhead.New[*http.Response](uint(cfg.Flight)))
			}
			return failsafehttp.NewHandler(http.MaxBytesHandler(bare(h), cfg.Body), policies...)
		}}
}
