package exchange_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// labeled puts a profiler label into the request's context.
func labeled(key, value string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pprof.Do(r.Context(), pprof.Labels(key, value), func(ctx context.Context) { next.ServeHTTP(w, r.WithContext(ctx)) })
		})
	}
}

// A request has one exchange, and the labels of everything around, wherever in
// between labels are set.
func TestLabelsAroundAndBetween(t *testing.T) {
	for _, outside := range []bool{false, true} {
		for _, between := range []bool{false, true} {
			var outer, inner *exchange.Exchange
			served := false
			h := exchange.Func(nil, func(x *exchange.Exchange, _ http.ResponseWriter, r *http.Request) {
				inner, served = x, true
				for key, want := range map[string]bool{"outside": outside, "between": between, "other": false} {
					_, found := pprof.Label(r.Context(), key)
					assert.Equal(t, want, found, key)
				}
				ctx := pprof.WithLabels(r.Context(), pprof.Labels("mine", "1"))
				_, found := pprof.Label(ctx, "outside")
				assert.Equal(t, outside, found)
				assert.Same(t, x, exchange.From(ctx))
			})
			if between {
				h = labeled("between", "1")(h)
			}
			next := h
			h = exchange.Func(next, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
				outer = x
				next.ServeHTTP(w, r)
			})
			if outside {
				h = labeled("outside", "1")(h)
			}
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			require.True(t, served)
			assert.Same(t, outer, inner)
			assert.Equal(t, outside, outer.Inspection().Labeled())
			assert.Nil(t, outer.Outer())
		}
	}
}

// A request in the context of another one that has ended is a new request, with the
// labels that were around that.
func TestLabelsOfANewRequest(t *testing.T) {
	var seen []*exchange.Exchange
	var ctx context.Context
	h := labeled("outside", "1")(exchange.Func(nil, func(x *exchange.Exchange, _ http.ResponseWriter, r *http.Request) {
		seen, ctx = append(seen, x), r.Context()
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
	require.Len(t, seen, 2)
	assert.NotSame(t, seen[0], seen[1])
	assert.Same(t, seen[0], seen[1].Outer())
	assert.True(t, seen[1].Inspection().Labeled())
}
