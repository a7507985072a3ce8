package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bulwark-go/bulwark/examples/service/config"
	"github.com/bulwark-go/bulwark/examples/service/internal/handlers"
)

// serve serves until ctx ends or a server fails. It then ends in three steps. First
// the service is not ready, but still serves for a while. Then it accepts no new
// requests, and waits for those in flight. At last it closes the connections of
// requests that are still running.
func serve(ctx context.Context, stop func(), cfg config.Config, log *slog.Logger, health *handlers.Health, requests, api http.Handler) error {
	servers := []*http.Server{{
		Addr:              cfg.HTTP.Addr,
		Handler:           api,
		ReadHeaderTimeout: cfg.HTTP.ReadHeaderTimeout,
		IdleTimeout:       cfg.HTTP.IdleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
	if cfg.Debug.Addr != "" {
		servers = append(servers, &http.Server{Addr: cfg.Debug.Addr, Handler: debug(requests), ReadHeaderTimeout: cfg.HTTP.ReadHeaderTimeout})
	}
	listeners, err := listen(ctx, servers)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, server := range servers {
		log.Info("listening", slog.String("addr", listeners[i].Addr().String()))
		group.Go(func() error { return unlessClosed(server.Serve(listeners[i])) })
	}
	group.Go(func() error {
		<-ctx.Done()
		stop()
		health.End()
		log.Info("shutting down", slog.String("cause", context.Cause(ctx).Error()))
		time.Sleep(cfg.Shutdown.Delay)
		return shutdown(cfg.Shutdown.Timeout, log, servers)
	})
	return group.Wait()
}

// listen listens on all addresses or on none.
func listen(ctx context.Context, servers []*http.Server) (all []net.Listener, err error) {
	for _, server := range servers {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", server.Addr)
		if err != nil {
			for _, l := range all {
				_ = l.Close()
			}
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

func shutdown(limit time.Duration, log *slog.Logger, servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var all []error
	for _, server := range servers {
		if err := server.Shutdown(ctx); err != nil {
			log.Warn("closing connections whose requests did not end in time", slog.Duration("limit", limit))
			all = append(all, server.Close())
		}
	}
	return errors.Join(all...)
}

func unlessClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// debug returns a mux with the page of the requests in flight and pprof. It does
// not use http.DefaultServeMux.
func debug(requests http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/debug/requests", requests)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
