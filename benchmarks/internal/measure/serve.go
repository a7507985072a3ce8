package measure

import (
	"context"
	"net/http"
	"runtime"
	"testing"
)

// A Contender is a handler in one way of wrapping it.
type Contender struct {
	Name    string
	Handler http.Handler
	// Base names the contender that has the same handler and nothing around it, in
	// the same framework. "": the first of all.
	Base string
}

// Request makes the request that is served, below the context of its own.
type Request func(ctx context.Context) *http.Request

// discard is a response writer that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// One serves one request as net/http would: with a context of its own, which is
// cancelled when the handler has returned.
func One(h http.Handler, request Request) { one(h, &discard{make(http.Header)}, request) }

func one(h http.Handler, w *discard, request Request) {
	ctx, cancel := context.WithCancel(connection)
	r := request(ctx)
	h.ServeHTTP(w, r)
	cancel()
	runtime.KeepAlive(r) // as the server's connection does
	clear(w.header)
}

// connection is the context of a connection, from which those of requests come.
var connection = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel // it lives as long as the process
	return ctx
}()

// allocations is how many a request takes.
func allocations(h http.Handler, request Request) float64 {
	w := &discard{make(http.Header)}
	return testing.AllocsPerRun(200, func() { one(h, w, request) })
}

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what sync.Pool gave up in the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
