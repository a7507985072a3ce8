package limits_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bulwark-go/bulwark/limits"
)

// The cost of a body of 1 KiB under a limit, beside http.MaxBytesHandler and
// beside no limit at all.
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

// discard is the cheapest of writers.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
