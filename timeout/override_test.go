package timeout_test

import (
	"context"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// chain composes middleware, the first outermost.
func chain(h http.Handler, mws ...func(http.Handler) http.Handler) http.Handler {
	for _, mw := range slices.Backward(mws) {
		h = mw(h)
	}
	return h
}

// untilDone waits for the end of the request and a day at most.
var untilDone = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(24 * time.Hour):
	}
})

// overrides are the limits of one request, and the result: a 504 after want or, if
// want is 0, the handler's response after a day. All count from the same moment.
var overrides = []struct {
	desc string
	mws  []func(http.Handler) http.Handler
	want time.Duration
}{
	{"New alone", mws(ten), 10 * time.Second},
	{"Override shorter", mws(ten, timeout.Override(3*time.Second)), 3 * time.Second},
	{"Override longer", mws(ten, timeout.Override(time.Minute)), time.Minute},
	{"Override none", mws(ten, timeout.Override(0)), 0},
	{"Override alone does nothing", mws(timeout.Override(time.Second)), 0},
	{"Override outside of New does nothing", mws(timeout.Override(time.Second), ten), 10 * time.Second},
	{"the innermost Override counts", mws(ten, timeout.Override(time.Second), timeout.Override(time.Minute)), time.Minute},
	{"Override of none after all", mws(ten, timeout.Override(0), timeout.Override(time.Minute)), time.Minute},
	{"Override below a WithValue", mws(ten, touched, timeout.Override(time.Minute)), time.Minute},
	{"Override after a while counts from the start", mws(ten, after(5*time.Second), timeout.Override(time.Minute)), time.Minute},
	{"Override that has passed already", mws(ten, after(5*time.Second), timeout.Override(3*time.Second)), 5 * time.Second},

	{"Max: Override under it", mws(tenMax30, timeout.Override(20*time.Second)), 20 * time.Second},
	{"Max: Override over it", mws(tenMax30, timeout.Override(time.Minute)), 30 * time.Second},
	{"Max: Override none", mws(tenMax30, timeout.Override(0)), 30 * time.Second},
	{"Max: Reset under it", mws(tenMax30, after(5*time.Second), extend(20*time.Second)), 25 * time.Second},
	{"Max: Reset over it", mws(tenMax30, after(5*time.Second), extend(time.Minute)), 30 * time.Second},
	{"Max: Reset none", mws(tenMax30, after(5*time.Second), extend(0)), 30 * time.Second},
	{"Max: Reset again and again", mws(tenMax30, extend(20*time.Second), after(15*time.Second), extend(20*time.Second)), 30 * time.Second},

	{"Max: Override to the longest Duration", mws(newOf(time.Hour), after(5*time.Second), tenMax30, timeout.Override(math.MaxInt64)), 35 * time.Second},
	{"Max: Reset to the longest Duration", mws(tenMax30, after(5*time.Second), extend(math.MaxInt64)), 30 * time.Second},
	{"nested: the inner has the longest limit", mws(ten, after(5*time.Second), newOf(math.MaxInt64)), 10 * time.Second},

	{"Reset counts from now", mws(ten, after(5*time.Second), extend(time.Minute)), 65 * time.Second},
	{"Reset shorter", mws(ten, after(5*time.Second), extend(time.Second)), 6 * time.Second},
	{"Reset none", mws(ten, after(5*time.Second), extend(0)), 0},
	{"Reset below a WithValue", mws(ten, touched, extend(time.Minute)), time.Minute},

	{"nested: the inner is shorter", mws(ten, newOf(3*time.Second)), 3 * time.Second},
	{"nested: the outer is shorter", mws(ten, newOf(time.Minute)), 10 * time.Second},
	{"nested: after a while", mws(ten, after(5*time.Second), newOf(3*time.Second)), 8 * time.Second},
	{"nested: the outer's Override is longer", mws(ten, timeout.Override(time.Minute), newOf(20*time.Second)), 20 * time.Second},
	{"nested: the outer has no limit", mws(ten, timeout.Override(0), newOf(20*time.Second)), 20 * time.Second},
	{"nested: the inner one is over", mws(ten, over(newOf(3*time.Second))), 10 * time.Second},
}

var (
	ten      = newOf(10 * time.Second)
	tenMax30 = timeout.New(timeout.Config{Limit: 10 * time.Second, Max: 30 * time.Second})
)

func mws(list ...func(http.Handler) http.Handler) []func(http.Handler) http.Handler { return list }

func newOf(limit time.Duration) func(http.Handler) http.Handler {
	return timeout.New(timeout.Config{Limit: limit})
}

// after passes a request on after d.
func after(d time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-time.After(d)
			next.ServeHTTP(w, r)
		})
	}
}

func extend(limit time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, err := timeout.Reset(r.Context(), limit)
			if err != nil {
				panic(err)
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// over serves something else under mw first, then next without it.
func over(mw func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	first := mw(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			first.ServeHTTP(w, r)
			next.ServeHTTP(w, r)
		})
	}
}

func TestOverride(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range overrides {
			t.Run(tc.desc, func(t *testing.T) {
				v.bubble(t, chain(untilDone, tc.mws...), func(t *testing.T, s *testhttp.Server) {
					res := s.Get(t, "/")
					if tc.want == 0 {
						assert.Equal(t, http.StatusOK, res.Status)
						assert.NoError(t, res.Err)
						return
					}
					assert.Equal(t, http.StatusGatewayTimeout, res.Status)
					assert.Equal(t, tc.want, res.Took)
				})
			})
		}
	})
}

// The context's deadline is the one that is enforced.
func TestOverrideIsInTheContext(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range overrides {
			t.Run(tc.desc, func(t *testing.T) {
				var began time.Time
				look := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					at, ok := r.Context().Deadline()
					assert.Equal(t, tc.want > 0, ok)
					if ok && at.After(time.Now()) {
						assert.Equal(t, tc.want, at.Sub(began))
					}
					untilDone(w, r)
				})
				v.bubble(t, chain(look, tc.mws...), func(t *testing.T, s *testhttp.Server) {
					began = time.Now()
					s.Get(t, "/")
				})
			})
		}
	})
}

// The error has the limit that was enforced.
func TestOverrideIsInTheError(t *testing.T) {
	variants[0].bubble(t, chain(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		var e *timeout.Error
		if assert.ErrorAs(t, context.Cause(r.Context()), &e) {
			assert.Equal(t, time.Minute, e.Limit)
			assert.Equal(t, time.Minute, e.Elapsed)
		}
	}), ten, timeout.Override(time.Minute)), func(t *testing.T, s *testhttp.Server) {
		assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
	})
}

// A child context made before Reset ends with the request, but its Deadline still
// reports the old one. A child with a shorter timeout keeps it. A child with a longer
// timeout has none: package context makes a child that ends with its parent.
func TestResetAndChildrenMadeBefore(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		v.bubble(t, ten(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			child, cancel := context.WithCancel(r.Context())
			defer cancel()
			shorter, cancelShorter := context.WithTimeout(r.Context(), 5*time.Second)
			defer cancelShorter()
			longer, cancelLonger := context.WithTimeout(r.Context(), 15*time.Second)
			defer cancelLonger()
			began := time.Now()
			ctx, err := timeout.Reset(r.Context(), time.Minute)
			assert.NoError(t, err)
			left, _ := timeout.Remaining(ctx)
			assert.Equal(t, time.Minute, left)
			said, _ := timeout.Remaining(child)
			assert.Equal(t, 10*time.Second, said)

			<-shorter.Done()
			assert.Equal(t, 5*time.Second, time.Since(began))
			assert.NoError(t, child.Err())
			<-child.Done()
			<-longer.Done()
			assert.Equal(t, time.Minute, time.Since(began))
			assert.Equal(t, context.DeadlineExceeded, ctx.Err())
			assert.Equal(t, timeout.PhaseHandler, phaseOf(t, context.Cause(ctx)))
		})), func(t *testing.T, s *testhttp.Server) {
			assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
		})
	})
}

// Reset keeps a timeout that the handler has set on its context.
func TestResetBelowATimeoutOfTheHandler(t *testing.T) {
	variants[0].bubble(t, ten(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		own, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		ctx, err := timeout.Reset(own, time.Minute)
		assert.NoError(t, err)
		left, _ := timeout.Remaining(ctx)
		assert.Equal(t, 3*time.Second, left)
		<-ctx.Done()
		assert.NoError(t, r.Context().Err())
	})), func(t *testing.T, s *testhttp.Server) {
		assert.Equal(t, http.StatusOK, s.Get(t, "/").Status)
	})
}

func TestResetErrors(t *testing.T) {
	t.Run("no deadline is running", func(t *testing.T) {
		ctx, err := timeout.Reset(t.Context(), time.Second)
		assert.EqualError(t, err, "timeout: Reset: no deadline is running")
		assert.Equal(t, t.Context(), ctx)
	})
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range []struct {
			desc  string
			mws   []func(http.Handler) http.Handler
			wait  bool
			limit time.Duration
			want  string
		}{
			{"negative", mws(ten), false, -1, "timeout: Reset: limit must not be negative"},
			{"after the deadline", mws(ten), true, time.Minute, "timeout: Reset: no deadline is running"},
		} {
			t.Run(tc.desc, func(t *testing.T) {
				v.bubble(t, chain(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if tc.wait {
						<-r.Context().Done()
					}
					ctx, err := timeout.Reset(r.Context(), tc.limit)
					assert.EqualError(t, err, tc.want)
					assert.Equal(t, r.Context(), ctx)
				}), tc.mws...), func(t *testing.T, s *testhttp.Server) { s.Get(t, "/") })
			})
		}
	})
}
