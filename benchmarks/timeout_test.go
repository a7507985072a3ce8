package benchmarks_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v5"
	echomiddleware "github.com/labstack/echo/v5/middleware"

	"github.com/bulwark-go/bulwark/timeout"
)

const limit = 10 * time.Second

var hello = []byte("hello")

// byHand is what a service writes that has no library. It enforces nothing.
func byHand(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// inEcho serves h by an Echo instance, with mw before it.
func inEcho(h http.Handler, mw ...echo.MiddlewareFunc) http.Handler {
	e := echo.New()
	e.Use(mw...)
	e.GET("/", echo.WrapHandler(h))
	return e
}

func timeoutContenders(h http.Handler) []contender {
	return []contender{
		{"bare", h},
		{"hand", byHand(h)},
		{"bulwark", timeout.New(timeout.Config{Limit: limit})(h)},
		{"TimeoutHandler", http.TimeoutHandler(h, limit, "")},
		{"chi", middleware.Timeout(limit)(h)},
		{"echo", inEcho(h, echomiddleware.ContextTimeout(limit))},
	}
}

func get(ctx context.Context) *http.Request {
	return template.WithContext(ctx)
}

var template = httptest.NewRequest(http.MethodGet, "/", nil)

// BenchmarkTimeoutAsked: the handler asks for Done, as one that waits does.
func BenchmarkTimeoutAsked(b *testing.B) {
	interleave(b, get, timeoutContenders(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		default:
			w.Write(hello)
		}
	}))...)
}

// BenchmarkTimeoutUnasked: the handler never looks at its context.
func BenchmarkTimeoutUnasked(b *testing.B) {
	interleave(b, get, timeoutContenders(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(hello)
	}))...)
}

// BenchmarkTimeoutInFlight: what a request costs that waits, in memory and in
// goroutines, over a bare handler: one that asked for Done, and one that waits
// for something else. The handler has 3 KiB of stack, since stacks
// double and a shallow one would hide behind the next power of two.
func BenchmarkTimeoutInFlight(b *testing.B) {
	const n = 10_000
	measure := func(wrap func(http.Handler) http.Handler, asks bool) (bytes, goroutines float64) {
		var arrived sync.WaitGroup
		release := make(chan struct{})
		h := wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			deep(func() {
				var done <-chan struct{}
				if asks {
					done = r.Context().Done()
				}
				arrived.Done()
				select {
				case <-release:
				case <-done:
				}
			})
			w.WriteHeader(http.StatusNoContent)
		}))
		before, goroutinesBefore := heap(), runtime.NumGoroutine()
		var all sync.WaitGroup
		arrived.Add(n)
		for range n {
			all.Go(func() { one(h, &discard{make(http.Header)}, get) })
		}
		arrived.Wait()
		bytes = float64(heap()-before) / n
		goroutines = float64(runtime.NumGoroutine()-goroutinesBefore) / n
		close(release)
		all.Wait()
		return bytes, goroutines
	}
	cs := map[string]func(http.Handler) http.Handler{
		"hand":           byHand,
		"bulwark":        timeout.New(timeout.Config{Limit: time.Minute}),
		"TimeoutHandler": func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") },
	}
	unwrapped := func(h http.Handler) http.Handler { return h }
	measure(unwrapped, true) // the runtime keeps the goroutines it once had
	for asks, how := range map[bool]string{false: "unasked", true: "asked"} {
		bare, bareGoroutines := measure(unwrapped, asks)
		for name, wrap := range cs {
			bytes, goroutines := measure(wrap, asks)
			b.ReportMetric(bytes-bare, name+":"+how+":B")
			b.ReportMetric(goroutines-bareGoroutines, name+":"+how+":goroutines")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// deep calls f with 3 KiB of stack in use.
//
//go:noinline
func deep(f func()) {
	var room [3 << 10]byte
	f()
	runtime.KeepAlive(&room)
}

// BenchmarkTimeoutPunctual: 200 stuck handlers at once, and when their clients
// had the complete answer.
func BenchmarkTimeoutPunctual(b *testing.B) {
	const n, limit = 200, 100 * time.Millisecond
	for _, proto := range []string{"HTTP1", "HTTP2"} {
		release := make(chan struct{})
		srv := httptest.NewUnstartedServer(timeout.New(timeout.Config{Limit: limit})(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })))
		if proto == "HTTP2" {
			srv.EnableHTTP2 = true
			srv.StartTLS()
		} else {
			srv.Start()
		}
		if res, err := srv.Client().Get(srv.URL); err == nil { // the one connection of HTTP/2
			_ = res.Body.Close()
		}
		var all sync.WaitGroup
		took := make([]time.Duration, n)
		for i := range n {
			all.Go(func() {
				start := time.Now()
				res, err := srv.Client().Get(srv.URL)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				took[i] = time.Since(start)
			})
		}
		all.Wait()
		close(release)
		srv.CloseClientConnections()
		srv.Close()
		slices.Sort(took)
		b.ReportMetric(float64(took[n*99/100])/1e6, proto+":p99-ms")
		b.ReportMetric(float64(took[n/2])/1e6, proto+":p50-ms")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkTimeoutStream: 64 MiB through the middleware, when the first byte
// came and how much memory it took.
func BenchmarkTimeoutStream(b *testing.B) {
	const size, piece = 64 << 20, 64 << 10
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p := make([]byte, piece)
		for range size / piece {
			if _, err := w.Write(p); err != nil {
				return
			}
		}
	})
	for _, c := range []contender{
		{"bulwark", timeout.New(timeout.Config{Limit: time.Minute})(h)},
		{"TimeoutHandler", http.TimeoutHandler(h, time.Minute, "")},
	} {
		first, peak, err := stream(c.h, size)
		if err != nil {
			b.Fatal(c.name, err)
		}
		b.ReportMetric(float64(first)/1e6, c.name+":first-ms")
		b.ReportMetric(float64(peak)/(1<<20), c.name+":MiB")
	}
	b.ReportMetric(0, "ns/op")
}

// stream reads a response and samples the memory while it comes.
func stream(h http.Handler, size int) (first time.Duration, peak int64, err error) {
	srv := httptest.NewServer(h)
	defer srv.Close()
	before := heap()
	start := time.Now()
	res, err := srv.Client().Get(srv.URL)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	p := make([]byte, 64<<10)
	for got := 0; got < size; {
		n, rerr := res.Body.Read(p)
		if got == 0 {
			first = time.Since(start)
		}
		if got>>20 != (got+n)>>20 && (got+n)>>20%16 == 0 {
			peak = max(peak, heap()-before)
		}
		if got += n; rerr != nil && got < size {
			return 0, 0, fmt.Errorf("after %d bytes: %w", got, rerr)
		}
	}
	return first, peak, nil
}
