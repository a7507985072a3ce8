package timeout_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// variant is a way in which a deadline is enforced.
type variant struct {
	desc  string
	p     testhttp.Protocol
	touch bool // something outside has touched the request, so HTTP/2 handlers run in place
}

var variants = []variant{
	{"HTTP/1", testhttp.HTTP1, false},
	{"HTTP/2", testhttp.HTTP2, false},
	{"HTTP/2 in place", testhttp.HTTP2, true},
}

// everywhere runs f once for each variant.
func everywhere(t *testing.T, f func(t *testing.T, v variant)) {
	t.Helper()
	for _, v := range variants {
		t.Run(v.desc, func(t *testing.T) { f(t, v) })
	}
}

type touchKey struct{}

// touched puts a value into the request's context, as tracing libraries do.
func touched(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), touchKey{}, true)))
	})
}

func (v variant) handler(h http.Handler) http.Handler {
	if v.touch {
		return touched(h)
	}
	return h
}

// start serves h on a socket until the test ends.
func (v variant) start(t *testing.T, h http.Handler) *testhttp.Server {
	t.Helper()
	return v.p.Start(t, v.handler(h))
}

// bubble runs f against a server for h with a fake clock, over a network in memory.
func (v variant) bubble(t *testing.T, h http.Handler, f func(t *testing.T, s *testhttp.Server)) {
	t.Helper()
	v.p.InMemory(t, v.handler(h), f)
}

// recovered recovers the panics of h, as the recovery middleware of many frameworks
// does.
func recovered(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				http.Error(w, "recovered", http.StatusInternalServerError)
			}
		}()
		h.ServeHTTP(w, r)
	})
}
