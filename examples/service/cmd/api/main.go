// Command api serves users.
//
//	go run ./examples/service/cmd/api
//	curl -i localhost:8080/users/123
//
// See config/config.yaml for what it can be told.
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

	"github.com/bulwark-go/bulwark/examples/service/config"
	"github.com/bulwark-go/bulwark/examples/service/internal/cache"
	"github.com/bulwark-go/bulwark/examples/service/internal/handlers"
	"github.com/bulwark-go/bulwark/examples/service/internal/reputation"
	"github.com/bulwark-go/bulwark/examples/service/internal/store"
	"github.com/bulwark-go/bulwark/examples/service/internal/telemetry"
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run returns the exit code: 2 where the service was told something wrong, 1
// where it could not go on.
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
	defer stop() // serve stops earlier, so that a second signal ends the process
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

// service opens what it needs, serves until ctx ends, and closes in the
// opposite order.
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
	if cfg.Cache.URL != "" {
		redis, err = cache.NewRedis(cache.Config{URL: cfg.Cache.URL.Reveal(), Share: cfg.Cache.Share, TTL: cfg.Cache.TTL, OnLookup: metrics.OnLookup})
		if err != nil {
			return err
		}
		defer redis.Close()
	}
	api.Users = cache.New(users, redis)
	if cfg.Reputation.URL != "" {
		base := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented
		base.MaxIdleConnsPerHost = base.MaxIdleConns            // there is one host
		api.Reputation, err = reputation.New(reputation.Config{
			URL:              cfg.Reputation.URL.Reveal(),
			Timeout:          cfg.Reputation.Timeout,
			Retries:          cfg.Reputation.Retries,
			MaxResponseBytes: cfg.Reputation.MaxResponseBytes,
			Base:             traces.Transport(base),
			OnRecord:         metrics.OnCall,
		})
		if err != nil {
			return err
		}
	}
	health := &handlers.Health{Ping: users.Ping}
	return serve(ctx, stop, cfg, log, health, handlers.New(cfg.Request, log, metrics, traces, health, api))
}

// flush sends the last spans. That nobody takes them is no failure of ours.
func flush(ctx context.Context, traces *telemetry.Traces, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	if err := traces.Close(ctx); err != nil {
		log.Warn("spans were lost", slog.String("error", err.Error()))
	}
}
