package limits_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
)

// The cost of a body of 1 KiB with a limit, beside http.MaxBytesHandler and beside no
// limit.
func BenchmarkBody(b *testing.B) {
	for _, m := range []struct {
		name string
		mw   func(http.Handler) http.Handler
	}{
		{"bare", func(h http.Handler) http.Handler { return h }},
		{"limits", limits.New(limits.Config{MaxBodyBytes: 1 << 20})},
		{"MaxBytesHandler", func(h http.Handler) http.Handler { return http.MaxBytesHandler(h, 1<<20) }},
	} {
		b.Run(m.name, func(b *testing.B) { benchmark(b, m.mw, bytes.Repeat([]byte("x"), 1<<10)) })
	}
}

// The cost of refusing a request while all permits and the queue are taken, beside the
// cost of serving it with a handler that does nothing.
func BenchmarkRefusal(b *testing.B) {
	for _, cfg := range []struct {
		name string
		limits.Config
	}{
		{"served", limits.Config{MaxInFlight: 1}},
		{"refused", limits.Config{MaxInFlight: 1}},
		{"refused, queue full", limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: testhttp.Patience}},
	} {
		b.Run(cfg.name, func(b *testing.B) {
			inner := newHeld()
			limit := limits.New(cfg.Config)
			blocked := limit(inner)
			if cfg.name != "served" {
				go do(b.Context(), blocked, "/")
				testhttp.Await(b, inner.started)
				refused := make(chan struct{})
				for range cfg.MaxQueue + 1 { // one of them is refused: the queue is full
					go func() {
						if w, _ := do(b.Context(), blocked, "/"); w.Code == http.StatusServiceUnavailable {
							close(refused)
						}
					}()
				}
				testhttp.Await(b, refused)
			}
			h := limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusServiceUnavailable)
			}))
			r := httptest.NewRequest("GET", "/", nil)
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
			close(inner.release)
		})
	}
}

func benchmark(b *testing.B, mw func(http.Handler) http.Handler, body []byte) {
	p := make([]byte, 4<<10)
	h := mw(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for {
			if _, err := r.Body.Read(p); err != nil {
				return
			}
		}
	}))
	src := bytes.NewReader(body)
	r := httptest.NewRequest("POST", "/", nil)
	r.Body, r.ContentLength = io.NopCloser(src), int64(len(body))
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(body)
		h.ServeHTTP(w, r)
	}
}

// discard is a writer that costs as little as possible.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
