package timeout_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// byHand is what most services have: it sets the deadline of the context and enforces
// nothing.
func byHand(limit time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), limit)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

func timeoutHandler(limit time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return http.TimeoutHandler(next, limit, "") }
}

// contenders are this package and what the standard library has.
var contenders = []struct {
	name string
	mw   func(time.Duration) func(http.Handler) http.Handler
}{
	{"bare", func(time.Duration) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler { return h }
	}},
	{"by-hand", byHand},
	{"TimeoutHandler", timeoutHandler},
	{"bulwark", newOf},
}

// BenchmarkRequest measures a request that ends in time. The cost of a middleware is
// what it adds to bare.
func BenchmarkRequest(b *testing.B) {
	body := []byte("ok")
	for _, bc := range []struct {
		name  string
		serve http.HandlerFunc
	}{
		{"waits", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			default:
			}
			_, _ = w.Write(body)
		}},
		{"never-asks", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }},
		{"headers", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			select {
			case <-r.Context().Done():
			default:
			}
			_, _ = w.Write(body)
		}},
	} {
		for _, c := range contenders {
			b.Run(bc.name+"/"+c.name, func(b *testing.B) {
				h := c.mw(5 * time.Second)(bc.serve)
				ctx, cancel := context.WithCancel(context.WithValue(b.Context(), http.ServerContextKey, &http.Server{}))
				defer cancel()
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
				if err != nil {
					b.Fatal(err)
				}
				w := &sink{make(http.Header)}
				b.ReportAllocs()
				for b.Loop() {
					clear(w.header)
					h.ServeHTTP(w, r)
				}
			})
		}
	}
}

// sink has the optional interfaces of net/http's writer and takes everything.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header                 { return s.header }
func (s *sink) WriteHeader(int)                     {}
func (s *sink) Write(p []byte) (int, error)         { return len(p), nil }
func (s *sink) WriteString(p string) (int, error)   { return len(p), nil }
func (s *sink) ReadFrom(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }
func (s *sink) Flush()                              {}
func (s *sink) CloseNotify() <-chan bool            { return nil }
func (s *sink) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}
