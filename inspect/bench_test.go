package inspect_test

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/inspect"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// discardWriter is a response writer that does nothing.
type discardWriter struct{ h http.Header }

func (w *discardWriter) Header() http.Header         { return w.h }
func (w *discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *discardWriter) WriteHeader(int)             {}

var answer = []byte(`{"message":"User 123"}`)

func jsonMux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
	return mux
}

// benchRequest has the contexts that net/http makes: a search for profiler labels
// visits all of them.
func benchRequest(tb testing.TB) *http.Request {
	tb.Helper()
	r := httptest.NewRequest(http.MethodGet, "/users/123", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	ctx := context.WithValue(context.Background(), http.ServerContextKey, &http.Server{})
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, &net.TCPAddr{})
	conn, end := context.WithCancel(ctx)
	tb.Cleanup(end)
	ctx, end = context.WithCancel(conn)
	tb.Cleanup(end)
	return r.WithContext(ctx)
}

// stacks are the same service without an inspector, with one behind logging, and
// with one around everything.
func stacks(in *inspect.Inspector) (without, behind, around http.Handler) {
	log := logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))}) //nolint:sloglint // the JSON is what costs
	limit := timeout.New(timeout.Config{Limit: 30 * time.Second})
	mux := jsonMux()
	return bulwark.Chain(log, limit)(mux), bulwark.Chain(log, in.Middleware, limit)(mux), bulwark.Chain(in.Middleware, log, limit)(mux)
}

func serveMany(h http.Handler, r *http.Request, n int) time.Duration {
	start := time.Now()
	for range n {
		r.Pattern = "" // set by the previous request
		h.ServeHTTP(&discardWriter{make(http.Header, 4)}, r)
	}
	return time.Since(start)
}

// depths are serveMany with stacks of two depths, which differ by eight bytes. The depth
// decides which values on the stack below are aligned to 16 bytes. That changes the time
// of a request by up to 20 ns, in either direction.
var depths = [...]func(http.Handler, *http.Request, int) time.Duration{
	func(h http.Handler, r *http.Request, n int) time.Duration {
		var room [1]byte
		use(&room[0])
		return serveMany(h, r, n)
	},
	func(h http.Handler, r *http.Request, n int) time.Duration {
		var room [9]byte
		use(&room[0])
		return serveMany(h, r, n)
	},
}

//go:noinline
func use(p *byte) { *p = 1 }

// BenchmarkAdded alternates between the variants, so that other load on the machine
// affects all of them, and between the depths. It reports what Middleware adds to a
// request: the difference between the fastest hundredths of the rounds.
func BenchmarkAdded(b *testing.B) {
	without, behind, around := stacks(inspect.New(inspect.Config{}))
	_, plain, _ := stacks(inspect.New(inspect.Config{NoStacks: true}))
	handlers := []http.Handler{without, behind, around, plain}
	const rounds, requests = 20, 50
	took := make([][len(depths)][]time.Duration, len(handlers))
	r := benchRequest(b)
	for b.Loop() {
		for range rounds {
			for _, n := range rand.Perm(len(handlers) * len(depths)) {
				i, depth := n/len(depths), n%len(depths)
				took[i][depth] = append(took[i][depth], depths[depth](handlers[i], r, requests))
			}
		}
	}
	fast := func(i int) (sum float64) {
		for _, t := range took[i] {
			slices.Sort(t)
			sum += float64(t[len(t)/100])
		}
		return sum / float64(requests*len(depths))
	}
	b.ReportMetric(fast(0), "ns/without")
	b.ReportMetric(fast(1)-fast(0), "ns/behind")
	b.ReportMetric(fast(2)-fast(0), "ns/around")
	b.ReportMetric(fast(3)-fast(0), "ns/NoStacks")
}
