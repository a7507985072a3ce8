package timeout_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// hiding gives the handler a request without the context of outer middleware.
func hiding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.Background()))
	})
}

// With two limits on one connection that do not know of each other the process
// survives, and the client sees that the response broke off.
func TestTwoLimitsHiddenFromEachOther(t *testing.T) {
	for _, tc := range []struct {
		desc         string
		outer, inner time.Duration
	}{
		{"the inner first", 2 * limit, limit},
		{"the outer first", limit, 2 * limit},
		{"at once", limit, limit},
	} {
		for _, streams := range []bool{true, false} {
			t.Run(tc.desc+map[bool]string{true: ", streaming", false: ", silent"}[streams], func(t *testing.T) {
				everywhere(t, func(t *testing.T, v variant) {
					over := make(chan struct{})
					ended := make(chan struct{})
					h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						defer close(ended)
						for streams {
							select {
							case <-over:
								return
							case <-time.After(time.Millisecond):
								_, _ = io.WriteString(w, "tick\n")
								_ = http.NewResponseController(w).Flush()
							}
						}
						<-over
					})
					s := v.start(t, timeout.New(timeout.Config{Limit: tc.outer})(hiding(
						timeout.New(timeout.Config{Limit: tc.inner})(h))))
					res := s.Get(t, "/")
					if streams {
						assert.Error(t, res.Err, "the response breaks off")
					} else if v.p == testhttp.HTTP1 {
						assert.Equal(t, http.StatusGatewayTimeout, res.Status)
					}
					<-time.After(3 * limit) // both have passed
					close(over)
					testhttp.Await(t, ended, "the handler's end")
				})
			})
		}
	}
}

// Nested limits have an ErrorHandler each. The outer one may be reading the request
// when the inner one is called.
func TestNestedErrorHandlersDoNotRace(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request, _ error) {
		for range 100 {
			_ = r.Header.Get("Accept")
			r.Header.Set("X-Mine", "1")
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for _, outer := range []timeout.Config{{ErrorHandler: answer}, {}} {
		everywhere(t, func(t *testing.T, v variant) {
			outer.Limit = limit
			inner := timeout.New(timeout.Config{Limit: testhttp.Patience, ErrorHandler: answer})
			s := v.start(t, timeout.New(outer)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for end := time.Now().Add(2 * limit); time.Now().Before(end); {
					inner(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
				}
			})))
			assert.NotZero(t, s.Do(s.Request(t, http.MethodGet, "/", http.NoBody, "Accept: text/plain")).Status)
		})
	}
}

// explosive is a middleware's writer that panics when something is written.
type explosive struct{ http.ResponseWriter }

func (e explosive) Write([]byte) (int, error)   { panic("boom") }
func (e explosive) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// If an outer middleware's writer panics during the response at the deadline, the
// process survives, and the client does not wait for the stuck handler.
func TestWriterThatPanicsAtTheDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		stuck := make(chan struct{})
		h := timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(explosive{w}, r) }))
		defer close(stuck)
		res := s.Get(t, "/")
		assert.Error(t, res.Err)
		assert.Less(t, res.Took, 10*time.Second)
	})
}

// Of nested limits the shortest counts: for the time to the first byte, for the time of
// the whole response, and for its silence.
func TestShortestOfNestedLimitsCounts(t *testing.T) {
	const s = time.Second
	for _, tc := range []struct {
		desc         string
		outer, inner timeout.Config
		every        time.Duration // between two writes; 0: none
		want         time.Duration
	}{
		{"first byte, outer", timeout.Config{Limit: 10 * s}, timeout.Config{Limit: 20 * s}, 0, 10 * s},
		{"first byte, inner", timeout.Config{Limit: 20 * s}, timeout.Config{Limit: 10 * s}, 0, 10 * s},
		{"silence, inner", timeout.Config{Limit: 20 * s, Stream: 30 * s}, timeout.Config{Limit: 10 * s, Stream: 5 * s}, 60 * s, 5 * s},
		{"silence, outer", timeout.Config{Limit: 20 * s, Stream: 5 * s}, timeout.Config{Limit: 10 * s, Stream: 30 * s}, 60 * s, 5 * s},
		{"silence, inner with the longer limit", timeout.Config{Limit: 10 * s, Stream: 30 * s}, timeout.Config{Limit: 20 * s, Stream: 5 * s}, 60 * s, 5 * s},
		{"altogether, outer", timeout.Config{Limit: 20 * s}, timeout.Config{Limit: 10 * s, Stream: 5 * s}, s, 20 * s},
		{"altogether, inner", timeout.Config{Limit: 10 * s, Stream: 5 * s}, timeout.Config{Limit: 20 * s}, s, 20 * s},
		{"altogether, inner with the shorter limit", timeout.Config{Limit: 20 * s, Stream: 5 * s}, timeout.Config{Limit: 10 * s}, s, 10 * s},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			v := variants[0]
			v.bubble(t, func(next http.Handler) http.Handler {
				return timeout.New(tc.outer)(timeout.New(tc.inner)(next))
			}(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tc.every == 0 {
					<-r.Context().Done()
					return
				}
				for r.Context().Err() == nil {
					_, _ = io.WriteString(w, "tick\n")
					_ = http.NewResponseController(w).Flush()
					select {
					case <-r.Context().Done():
					case <-time.After(tc.every):
					}
				}
			})), func(t *testing.T, s *testhttp.Server) {
				assert.Equal(t, tc.want, s.Get(t, "/").Took.Round(100*time.Millisecond))
			})
		})
	}
}

// A handler may serve the parts of a batch by its own routes, on several goroutines.
// The limit of a part ends with that part, and the route is that of the batch.
func TestPartsOfABatch(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		ended := make(chan exchange.Ending, 1)
		var began chan struct{} // made in the bubble
		mux := http.NewServeMux()
		mux.Handle("/short", newOf(time.Second)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-began })))
		mux.Handle("/long", newOf(time.Minute)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(began)
			<-time.After(30 * time.Second)
			_, _ = io.WriteString(w, "long")
			assert.NoError(t, r.Context().Err())
		})))
		mux.HandleFunc("/batch", func(w http.ResponseWriter, r *http.Request) {
			began = make(chan struct{})
			var parts sync.WaitGroup
			out := httptest.NewRecorder()
			parts.Go(func() {
				mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(r.Context(), http.MethodGet, "/short", nil))
			})
			<-time.After(time.Millisecond) // the long part is the inner one
			parts.Go(func() {
				mux.ServeHTTP(out, httptest.NewRequestWithContext(r.Context(), http.MethodGet, "/long", nil))
			})
			parts.Wait()
			_, _ = io.WriteString(w, out.Body.String())
		})
		v.bubble(t, observed(ended, nil)(newOf(2*time.Hour)(mux)), func(t *testing.T, s *testhttp.Server) {
			res := s.Get(t, "/batch")
			require.NoError(t, res.Err)
			require.Equal(t, http.StatusOK, res.Status)
			assert.Equal(t, "long", res.Body)
			assert.Equal(t, "/batch", (<-ended).Route)
		})
	})
}

// The handler is stuck, and its route is asked of the mux inside. That a mux outside
// has a pattern, and that StripPrefix has changed the path, makes no difference.
func TestRouteBelowAnotherMux(t *testing.T) {
	stuck := func(http.ResponseWriter, *http.Request) { <-time.After(time.Hour) }
	users := http.NewServeMux()
	users.HandleFunc("/users/{id}", stuck)
	users.HandleFunc("/", stuck)
	versions := http.NewServeMux()
	versions.HandleFunc("/v1/users/{id}", stuck)
	nested := http.NewServeMux()
	nested.Handle("/v1/", timeout.Override(20*time.Second)(versions))
	nested.Handle("/v2/", http.StripPrefix("/v2", users))
	for _, tc := range []struct {
		path, want string
		below      func(h http.Handler) http.Handler // the prefix
		mux        http.Handler
	}{
		{"/api/users/7?k=v", "/users/{id}", stripped("/api"), users},
		{"/v1/users/7", "/v1/users/{id}", at("/v1/"), nested},
		{"/v1/users/7", "/v1/users/{id}", stripped(""), nested},
		{"/v2/users/7", "/v2/", at("/v2/"), nested},
		{"/v1/nothing", "/v1/", at("/v1/"), nested},
	} {
		t.Run(tc.path, func(t *testing.T) {
			everywhere(t, func(t *testing.T, v variant) {
				ended := make(chan exchange.Ending, 1)
				v.bubble(t, tc.below(observed(ended, nil)(ten(tc.mux))), func(t *testing.T, s *testhttp.Server) {
					res := s.Get(t, tc.path)
					if res.Status != http.StatusNotFound {
						assert.Equal(t, http.StatusGatewayTimeout, res.Status)
					}
					<-time.After(time.Minute)
					require.Len(t, ended, 1)
					assert.Equal(t, tc.want, (<-ended).Route)
				})
			})
		})
	}
}

// at serves h behind a mux.
func at(pattern string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle(pattern, h)
		return mux
	}
}

// stripped serves h behind a mux without a prefix of its paths.
func stripped(prefix string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler { return at(prefix + "/")(http.StripPrefix(prefix, h)) }
}
