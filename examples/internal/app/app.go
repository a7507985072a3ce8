// Package app has what the three examples share: flags, a server with timeouts, and
// a graceful shutdown.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const shutdownLimit = 5 * time.Second

// Main serves what build returns until SIGINT or SIGTERM, and exits. The log goes
// to standard output; the start-up line and errors go to standard error.
func Main(build func(latency, limit time.Duration) http.Handler) {
	name := filepath.Base(os.Args[0])
	f, err := parse(name, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(2)
	}
	if err := serve(name, f.addr, build(f.latency, f.limit)); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

type flags struct {
	addr           string
	latency, limit time.Duration
}

// parse prints the usage only for -h. The error for a mistyped flag is one line.
func parse(name string, args []string, out io.Writer) (f flags, err error) {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&f.addr, "addr", ":8080", "`address` to listen on; port 0 chooses a free one")
	fs.DurationVar(&f.latency, "latency", 20*time.Millisecond, "`time` that a query of the store takes; 120ms shows the 504")
	fs.DurationVar(&f.limit, "timeout", 100*time.Millisecond, "`time` that a request may take")
	switch err = fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(out)
		fmt.Fprintf(out, "Usage of %s:\n", name)
		fs.PrintDefaults()
	case err != nil:
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case f.latency < 0:
		err = fmt.Errorf("-latency must not be negative: %v", f.latency)
	case f.limit <= 0:
		err = fmt.Errorf("-timeout must be positive: %v", f.limit)
	}
	return f, err
}

// serve runs until a signal arrives. Then it accepts no new requests, and waits up
// to shutdownLimit for those in flight. A second signal ends the process at once.
func serve(name, addr string, h http.Handler) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	fmt.Fprintf(os.Stderr, "%s: listening on %s\n", name, ln.Addr())

	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop()
	fmt.Fprintf(os.Stderr, "%s: shutting down\n", name)
	ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s: closing connections whose requests did not finish within %v\n", name, shutdownLimit)
		return srv.Close()
	}
	return nil
}
