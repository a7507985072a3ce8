// Command api serves users.
//
//	go run ./examples/service/cmd/api
//	curl -i localhost:8080/users/123
//
// See config/config.yaml for its settings.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bulwark-go/bulwark/adapters/bulwarkredis"
	"github.com/bulwark-go/bulwark/examples/service/config"
	"github.com/bulwark-go/bulwark/examples/service/internal/cache"
	"github.com/bulwark-go/bulwark/examples/service/internal/handlers"
	"github.com/bulwark-go/bulwark/examples/service/internal/reputation"
	"github.com/bulwark-go/bulwark/examples/service/internal/store"
	"github.com/bulwark-go/bulwark/examples/service/internal/telemetry"
	"github.com/bulwark-go/bulwark/inspect"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/quota"
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run returns the exit code: 2 if the configuration is invalid, 1 if the service
// failed.
func run(args, environ []string, stdout, stderr io.Writer) int {
	cfg, err := config.Load(args, environ)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "usage: api [-config FILE] [-KEY VALUE]...\n\n%s", config.Defaults)
		return 0
	case err != nil:
		fmt.Fprintln(stderr, err)
		return 2
	}
	log := slog.New(slog.NewJSONHandler(stdout, &slog.HandlerOptions{Level: cfg.Log.Level}))
	slog.SetDefault(log)
	log.Debug("configuration", slog.Any("config", cfg))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop() // serve calls stop earlier, so that a second signal ends the process
	if err := service(ctx, stop, cfg, environ, log); err != nil {
		log.Error("stopped", slog.String("error", err.Error()))
		return 1
	}
	log.Info("stopped")
	return 0
}

const (
	startLimit = time.Minute     // for the connection to the database and its migrations
	flushLimit = 2 * time.Second // for the last spans
)

// service opens the database, the cache and the rest, serves until ctx ends, and
// closes them in the opposite order.
func service(ctx context.Context, stop func(), cfg config.Config, environ []string, log *slog.Logger) error {
	traces, err := telemetry.NewTraces(ctx, environ)
	if err != nil {
		return err
	}
	defer flush(ctx, traces, log)

	opening, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	users, err := store.Open(opening, cfg.Database.URL.Reveal(), cfg.Database.MaxConns)
	if err != nil {
		return err
	}
	defer users.Close()

	metrics := telemetry.NewMetrics()
	api := handlers.API{Creator: users}
	var redis *cache.Redis
	var counts quota.Store
	if cfg.Cache.URL != "" {
		redis, err = cache.NewRedis(cache.Config{URL: cfg.Cache.URL.Reveal(), Share: cfg.Cache.Share, TTL: cfg.Cache.TTL, OnLookup: metrics.OnLookup})
		if err != nil {
			return err
		}
		defer redis.Close()
		counts = bulwarkredis.NewStore(bulwarkredis.Config{Client: redis.Client(), Timeout: cfg.Quota.Timeout, Replicas: cfg.Quota.Replicas})
	}
	api.Users = cache.New(users, redis)
	if cfg.Reputation.URL != "" {
		base := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // documented to be an *http.Transport
		base.MaxIdleConnsPerHost = base.MaxIdleConns            // all calls go to one host
		api.Reputation, err = reputation.New(reputation.Config{
			URL:              cfg.Reputation.URL.Reveal(),
			Timeout:          cfg.Reputation.Timeout,
			Retries:          cfg.Reputation.Retries,
			MaxResponseBytes: cfg.Reputation.MaxResponseBytes,
			Base:             traces.Transport(base),
			Logging:          metrics.Client(logging.TransportConfig{}),
		})
		if err != nil {
			return err
		}
	}
	health := &handlers.Health{Ping: users.Ping}
	requests := inspect.New(inspect.Config{})
	return serve(ctx, stop, cfg, log, health, requests, requests.Middleware(handlers.New(cfg, counts, log, metrics, traces, health, api)))
}

// flush sends the last spans. If the collector does not accept them, that is only
// logged.
func flush(ctx context.Context, traces *telemetry.Traces, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	if err := traces.Close(ctx); err != nil {
		log.Warn("spans were lost", slog.String("error", err.Error()))
	}
}
