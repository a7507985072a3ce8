package benchmarks_test

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"
)

// contender is a handler in one way of wrapping it.
type contender struct {
	name string
	h    http.Handler
}

// discard is a response writer that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

const (
	rounds = 60
	batch  = 1000
)

// interleave runs the contenders in turns and reports, for each but the first,
// which is the bare handler, what it adds: as a multiple of what the second
// adds, and in nanoseconds and allocations.
func interleave(b *testing.B, request func(ctx context.Context) *http.Request, cs ...contender) {
	b.Helper()
	times := make([][]time.Duration, len(cs))
	for range rounds {
		for i, c := range cs {
			times[i] = append(times[i], serve(c.h, request))
		}
	}
	medians := make([]float64, len(cs))
	for i, t := range times {
		slices.Sort(t)
		medians[i] = float64(t[len(t)/2]) / batch
	}
	bareAllocs := allocations(cs[0].h, request)
	for i, c := range cs[1:] {
		adds := medians[i+1] - medians[0]
		b.ReportMetric(adds/(medians[1]-medians[0]), c.name+":x")
		b.ReportMetric(adds, c.name+":ns")
		b.ReportMetric(allocations(c.h, request)-bareAllocs, c.name+":allocs")
	}
	b.ReportMetric(0, "ns/op") // one op is the whole comparison
}

// serve serves a batch as net/http would: each request with a context of its
// own, cancelled when the handler has returned.
func serve(h http.Handler, request func(context.Context) *http.Request) time.Duration {
	w := &discard{make(http.Header)}
	start := time.Now()
	for range batch {
		one(h, w, request)
	}
	return time.Since(start)
}

func one(h http.Handler, w *discard, request func(context.Context) *http.Request) {
	ctx, cancel := context.WithCancel(connection)
	h.ServeHTTP(w, request(ctx))
	cancel()
	clear(w.header)
}

// connection is the context of a connection, from which those of requests come.
var connection = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel // it lives as long as the process
	return ctx
}()

func allocations(h http.Handler, request func(context.Context) *http.Request) float64 {
	w := &discard{make(http.Header)}
	return testing.AllocsPerRun(200, func() { one(h, w, request) })
}

// heap is what is in use after a collection.
func heap() (bytes int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
