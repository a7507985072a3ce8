//go:build wire

package faults_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// inPlace are outsides behind which an HTTP/2 handler runs on the server's
// goroutine.
var inPlace = []outside{
	outsides[1],
	{"a plain function outside", func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) })
	}, true},
	{"http.ServeMux outside", func(h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/{any...}", h)
		return mux
	}, true},
}

// TestInPlaceEndsCleanly: a handler that follows its context ends the stream cleanly
// after the answer, and the connection stays open.
func TestInPlaceEndsCleanly(t *testing.T) {
	handlers := []struct {
		desc   string
		method string
		after  func(http.ResponseWriter, *http.Request) // when the context has ended
	}{
		{"returns", "GET", func(http.ResponseWriter, *http.Request) {}},
		{"returns from HEAD", "HEAD", func(http.ResponseWriter, *http.Request) {}},
		{"returns a millisecond later", "GET", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Millisecond) }},
		{"writes", "GET", func(w http.ResponseWriter, _ *http.Request) {
			_, err := io.WriteString(w, "too late")
			assert.ErrorIs(t, err, http.ErrHandlerTimeout)
		}},
		{"answers the error itself", "GET", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Context().Err().Error(), http.StatusServiceUnavailable)
		}},
		{"sets headers and flushes", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Late", "true")
			http.NewResponseController(w).Flush()
		}},
		{"returns the error", "GET", func(w http.ResponseWriter, r *http.Request) {
			errs.Handler(func(_ http.ResponseWriter, r *http.Request) error { return r.Context().Err() }).ServeHTTP(w, r)
		}},
	}
	for _, h := range handlers {
		t.Run(h.desc, func(t *testing.T) {
			t.Parallel()
			each(t, http2, stacks, inPlace, func(t *testing.T, proto string, s *stack, o *outside) {
				promptly(t, func(t *testing.T) (time.Duration, func()) {
					took := make(chan time.Duration, 1)
					srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path != "/next" {
							<-r.Context().Done()
							h.after(w, r)
							at, _ := r.Context().Deadline()
							took <- time.Since(at)
						}
					}))
					c := raw.DialHTTP2(t, srv.Addr, 1<<20)
					got := raw.Do(t, c, &raw.Request{Method: h.method})
					next := raw.Do(t, c, &raw.Request{Path: "/next"})
					return <-took, func() {
						assert.Equal(t, s.lateAnswer(proto, h.method, 504), got.Stable())
						if s.logs {
							l := lineOf(recordOf(t, records, "/"))
							l.Route = ""
							assert.Equal(t, line{Status: 504, Outcome: "deadline"}, l)
						}
						assert.Equal(t, [2]any{200, raw.Whole}, [2]any{next.Status, next.End})
						assert.False(t, c.GoneAway(), "GOAWAY")
					}
				})
			})
		})
	}
}

// TestInPlaceAnswersCompletely: the client of a stuck handler has the complete answer
// before the stream is reset, and the connection stays open.
func TestInPlaceAnswersCompletely(t *testing.T) {
	for _, h := range stuckHandlers {
		t.Run(h.desc, func(t *testing.T) {
			t.Parallel()
			each(t, http2, stacks, inPlace, func(t *testing.T, proto string, s *stack, o *outside) {
				release := make(latch)
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/next" {
						h.do(w, r)
						<-release
					}
				}))
				t.Cleanup(release.open)
				c := raw.DialHTTP2(t, srv.Addr, 1<<20)
				got := raw.Do(t, c, &h.request)
				got.Early, got.Code = nil, 0
				want := s.lateAnswer(proto, h.request.Method, h.status)
				if h.request.Method != http.MethodHead { // otherwise its head is its end
					want.End = raw.Reset
				}
				assert.Equal(t, want, got.Stable())
				if s.logs {
					l := lineOf(recordOf(t, records, "/"))
					l.Route = ""
					assert.Equal(t, line{Status: h.status, Outcome: "deadline", Abandoned: true}, l)
				}
				next := raw.Do(t, c, &raw.Request{Path: "/next"})
				assert.Equal(t, [2]any{200, raw.Whole}, [2]any{next.Status, next.End})
				assert.False(t, c.GoneAway(), "GOAWAY")
			})
		})
	}
}

// TestDetachedEndsCleanly: if only the packages are in front of it, a stuck handler is
// left behind and the stream ends cleanly.
func TestDetachedEndsCleanly(t *testing.T) {
	for _, h := range stuckHandlers {
		t.Run(h.desc, func(t *testing.T) {
			t.Parallel()
			each(t, http2, slices.Concat(stacks, apartStacks), outsides[:1], func(t *testing.T, proto string, s *stack, o *outside) {
				release := make(latch)
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					h.do(w, r)
					<-release
				}))
				t.Cleanup(release.open)
				c := raw.DialHTTP2(t, srv.Addr, 1<<20)
				got := raw.Do(t, c, &h.request)
				got.Early, got.Code = nil, 0 // NO_ERROR for a body that is no longer wanted
				assert.Equal(t, s.lateAnswer(proto, h.request.Method, h.status), got.Stable())
				if s.logs {
					assert.Equal(t, line{Status: h.status, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
				}
			})
		})
	}
}

var apartStacks = []stack{
	{"Recover, timeout", false, false, func(_ *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(errmap.New(errmap.Config{}).Recover, timeout.New(c))
	}},
	{"limits, timeout", false, false, func(_ *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(limits.New(limits.Config{MaxInFlight: 10}), timeout.New(c))
	}},
	{"logging, limits, timeout", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), limits.New(limits.Config{MaxBodyBytes: 100}), timeout.New(c))
	}},
	{"logging, Override, timeout", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), timeout.Override(limit), timeout.New(c))
	}},
}

// TestInPlacePanicsAfterTheDeadline: a late panic does not damage the answer either.
func TestInPlacePanicsAfterTheDeadline(t *testing.T) {
	for _, v := range []any{"late", http.ErrAbortHandler} {
		each(t, http2, stacks, inPlace, func(t *testing.T, proto string, s *stack, o *outside) {
			promptly(t, func(t *testing.T) (time.Duration, func()) {
				ended := make(chan context.Context, 1)
				took := make(chan time.Duration, 1)
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					ended <- r.Context()
					at, _ := r.Context().Deadline()
					took <- time.Since(at)
					panic(v)
				}))
				got := raw.Do(t, raw.DialHTTP2(t, srv.Addr, 1<<20), &raw.Request{})
				return <-took, func() {
					assert.Equal(t, s.lateAnswer(proto, "GET", 504), got.Stable())
					assert.ErrorIs(t, context.Cause(<-ended), context.DeadlineExceeded)
					if s.logs {
						l := lineOf(records.Next(t))
						l.Route = ""
						assert.Equal(t, line{Status: 504, Outcome: "deadline"}, l)
					}
				}
			})
		})
	}
}
