package bulwark_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bulwark-go/bulwark"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mark returns a middleware that adds its name to the response's Trace on the way in.
func mark(name string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Trace", name)
			next.ServeHTTP(w, r)
		})
	}
}

func TestChainOrder(t *testing.T) {
	tests := []struct {
		desc string
		mws  []func(http.Handler) http.Handler
		want []string
	}{
		{"none", nil, nil},
		{"one", []func(http.Handler) http.Handler{mark("a")}, []string{"a"}},
		{"the first is the outermost", []func(http.Handler) http.Handler{mark("a"), mark("b"), mark("c")}, []string{"a", "b", "c"}},
		{"chains nest", []func(http.Handler) http.Handler{bulwark.Chain(mark("a"), mark("b")), mark("c")}, []string{"a", "b", "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			h := bulwark.Chain(tt.mws...)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusTeapot)
			}))
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
			assert.Equal(t, http.StatusTeapot, rec.Code)
			assert.Equal(t, tt.want, rec.Header().Values("Trace"))
		})
	}
}

func TestEmptyChainIsTheHandler(t *testing.T) {
	h := http.NewServeMux()
	require.Same(t, h, bulwark.Chain()(h))
}

func TestChainServesSeveralHandlers(t *testing.T) {
	chain := bulwark.Chain(mark("a"))
	for _, code := range []int{http.StatusOK, http.StatusNotFound} {
		rec := httptest.NewRecorder()
		chain(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })).
			ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Equal(t, code, rec.Code)
		assert.Equal(t, []string{"a"}, rec.Header().Values("Trace"))
	}
}

// A caller may reuse its slice. The chain must not change while it serves requests.
func TestChainCopiesItsArgument(t *testing.T) {
	mws := []func(http.Handler) http.Handler{mark("a"), mark("b")}
	chain := bulwark.Chain(mws...)
	mws[0] = mark("c")
	rec := httptest.NewRecorder()
	chain(http.NotFoundHandler()).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Equal(t, []string{"a", "b"}, rec.Header().Values("Trace"))
}

func TestChainPanicsForANilMiddleware(t *testing.T) {
	assert.PanicsWithValue(t, "bulwark: Chain: middleware 1 is nil", func() {
		bulwark.Chain(mark("a"), nil)
	})
}
