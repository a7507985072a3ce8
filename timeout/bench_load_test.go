package timeout_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestAccuracy logs when the clients of two hundred handlers that are stuck at the same
// time had their complete responses. It has no bound, because machines differ.
func TestAccuracy(t *testing.T) {
	const requests, limit = 200, 100 * time.Millisecond
	for _, v := range variants {
		for _, stalled := range []bool{false, true} {
			desc := map[bool]string{false: "stuck handler", true: "stalled upload"}[stalled]
			t.Run(v.desc+", "+desc, func(t *testing.T) {
				stuck := make(chan struct{})
				s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
					func(_ http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						if !stalled {
							<-stuck
						}
					})))
				defer close(stuck)
				s.Get(t, "/") // one connection is there
				took := make([]time.Duration, requests)
				var clients sync.WaitGroup
				for i := range requests {
					clients.Go(func() {
						body := io.Reader(http.NoBody)
						if stalled {
							pr, pw := io.Pipe()
							defer pw.Close()
							body = pr
						}
						g := s.Do(s.Request(t, http.MethodPost, "/", body))
						took[i] = g.Took
						assert.Contains(t, []int{http.StatusGatewayTimeout, http.StatusRequestTimeout}, g.Status)
					})
				}
				clients.Wait()
				slices.Sort(took)
				assert.GreaterOrEqual(t, took[0], limit)
				t.Logf("answer complete after: p50 %v, p99 %v, max %v",
					took[requests/2], took[requests*99/100], took[requests-1])
			})
		}
	}
}

// BenchmarkInFlight measures the memory and the goroutines of ten thousand requests
// that wait for their contexts, for each request. The handler has 3 KiB of stack:
// stacks double at powers of two, and a small one hides what another goroutine or a
// deeper call costs. Subtract bare.
func BenchmarkInFlight(b *testing.B) {
	for _, depth := range []struct {
		name string
		wait func(context.Context)
	}{{"deep", waitDeep}, {"shallow", waitShallow}} {
		for _, c := range contenders {
			b.Run(depth.name+"/"+c.name, func(b *testing.B) {
				for b.Loop() {
					bytes, goroutines := inFlight(b, c.mw(time.Hour), depth.wait)
					b.ReportMetric(bytes, "B/request")
					b.ReportMetric(goroutines, "goroutines/request")
				}
			})
		}
	}
}

func waitShallow(ctx context.Context) { <-ctx.Done() }

//go:noinline
func waitDeep(ctx context.Context) {
	var stack [3 << 10]byte
	fill(stack[:])
	<-ctx.Done()
	fill(stack[:])
}

//go:noinline
func fill(p []byte) {
	for i := range p {
		p[i]++
	}
}

func inFlight(b *testing.B, mw func(http.Handler) http.Handler, wait func(context.Context)) (bytes, goroutines float64) {
	b.Helper()
	const requests = 10_000
	in := make(chan struct{})
	network := testhttp.NewMemory()
	srv := &http.Server{Handler: mw(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		in <- struct{}{}
		wait(r.Context())
	}))}
	go func() { _ = srv.Serve(network) }()
	before, goroutinesBefore := resident(), runtime.NumGoroutine()
	conns := make([]net.Conn, requests)
	for i := range conns {
		conns[i], _ = network.Dial(b.Context(), "", "")
		if _, err := io.WriteString(conns[i], "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
			b.Fatal(err)
		}
		<-in
	}
	bytes = float64(resident()-before) / requests
	goroutines = float64(runtime.NumGoroutine()-goroutinesBefore) / requests
	for _, c := range conns {
		_ = c.Close()
	}
	_ = srv.Close()
	settled(func() bool { return runtime.NumGoroutine() <= goroutinesBefore })
	return bytes, goroutines
}

// resident is the memory in use: heap and stacks.
func resident() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// BenchmarkStream sends 64 MiB through the middleware. It reports when the first byte
// came, and the maximum of the memory in use.
func BenchmarkStream(b *testing.B) {
	const size, piece = 64 << 20, 64 << 10
	for _, c := range contenders {
		b.Run(c.name, func(b *testing.B) {
			chunk := make([]byte, piece)
			s := httptest.NewServer(c.mw(time.Hour)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for range size / piece {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			})))
			defer s.Close()
			b.SetBytes(size)
			for b.Loop() {
				first, most := download(b, s)
				b.ReportMetric(float64(first.Microseconds())/1e3, "ms-to-first-byte")
				b.ReportMetric(float64(most)/(1<<20), "MiB-at-most")
			}
		})
	}
}

func download(b *testing.B, s *httptest.Server) (first time.Duration, most int64) {
	b.Helper()
	before, began := resident(), time.Now()
	res, err := s.Client().Get(s.URL)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	p := make([]byte, 1<<20)
	for {
		if first == 0 {
			_, _ = io.ReadFull(res.Body, p[:1])
			first = time.Since(began)
		}
		_, err := io.ReadFull(res.Body, p)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, int64(m.HeapAlloc+m.StackInuse)-before)
		if err != nil {
			return first, most
		}
	}
}
