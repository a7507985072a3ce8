//go:build wire

package faults_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// lateHandler is when a handler returns after its context has ended.
type lateHandler struct {
	desc      string
	abandoned bool
	wait      func(ctx context.Context, release <-chan struct{})
}

var lateHandlers = []lateHandler{
	{"stuck", true, func(_ context.Context, release <-chan struct{}) { <-release }},
	{"follows its context", false, func(ctx context.Context, _ <-chan struct{}) { <-ctx.Done() }},
}

// line is that of the record without what is known of the handler, because a handler
// that follows its context may be late on a busy machine.
func (h *lateHandler) line(r logging.Record) line {
	l := lineOf(r)
	l.Abandoned = l.Abandoned != h.abandoned && h.abandoned
	return l
}

// TestRouteOfADeadline: the record has the route, also of a plain handler behind
// http.ServeMux, whether the handler has returned or not.
func TestRouteOfADeadline(t *testing.T) {
	routes := []struct {
		desc, pattern, path, want string
		method                    string
		inside                    middleware // between the stack and the mux
	}{
		{desc: "with method", pattern: "GET /stuck/{id}", path: "/stuck/7", want: "/stuck/{id}"},
		{desc: "for HEAD", pattern: "GET /stuck/{id}", path: "/stuck/7", want: "/stuck/{id}", method: "HEAD"},
		{desc: "without method", pattern: "/stuck/{id}", path: "/stuck/7", want: "/stuck/{id}"},
		{desc: "with host", pattern: "GET test/stuck/{rest...}", path: "/stuck/a/b", want: "/stuck/{rest...}"},
		{desc: "a subtree", pattern: "/stuck/", path: "/stuck/a?b=c", want: "/stuck/"},
		{desc: "the exact root", pattern: "/{$}", path: "/", want: "/{$}"},
		{desc: "below a plain middleware", pattern: "GET /stuck/{id}", path: "/stuck/7", want: "/stuck/{id}", inside: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) })
		}},
		{desc: "below Override", pattern: "GET /stuck/{id}", path: "/stuck/7", want: "/stuck/{id}", inside: timeout.Override(limit)},
	}
	for _, r := range routes {
		if r.inside == nil {
			r.inside = func(h http.Handler) http.Handler { return h }
		}
		for _, h := range lateHandlers {
			if h.abandoned && r.desc == "below a plain middleware" {
				continue // only the handler's own copy of the request has it
			}
			t.Run(r.desc+"/"+h.desc, func(t *testing.T) {
				t.Parallel()
				each(t, every, routeStacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
					release := make(latch)
					mux := http.NewServeMux()
					mux.HandleFunc(r.pattern, func(_ http.ResponseWriter, r *http.Request) { h.wait(r.Context(), release) })
					srv, records := serve(t, s, o, timeout.Config{Limit: limit}, r.inside(mux))
					t.Cleanup(release.open)
					got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{Method: r.method, Path: r.path})
					assert.Equal(t, 504, got.Status)
					assert.Equal(t, line{Status: 504, Outcome: "deadline", Route: r.want}, h.line(records.Next(t)))
				})
			})
		}
	}
}

var routeStacks = []stack{
	whole, stacks[1], stacks[2],
	{"logging, timeout, limits", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), timeout.New(c), limits.New(limits.Config{MaxInFlight: 10}))
	}},
}

// TestRouteOfACutResponse: the same if the response had started.
func TestRouteOfACutResponse(t *testing.T) {
	for _, h := range lateHandlers {
		t.Run(h.desc, func(t *testing.T) {
			t.Parallel()
			each(t, every, routeStacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				release := make(latch)
				mux := http.NewServeMux()
				mux.HandleFunc("GET /stuck/{id}", func(w http.ResponseWriter, r *http.Request) {
					w.Write([]byte("begun"))
					assert.NoError(t, http.NewResponseController(w).Flush())
					h.wait(r.Context(), release)
				})
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, mux)
				t.Cleanup(release.open)
				got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{Path: "/stuck/7"})
				want := [3]any{200, "begun", raw.Cut}
				if proto == "2" {
					want[2] = raw.Reset
				}
				assert.Equal(t, want, [3]any{got.Status, got.Body, got.End})
				l := h.line(records.Next(t))
				if l.Intended == 200 || l.Intended == 504 {
					l.Intended = 0
				}
				assert.Equal(t, line{Status: 200, Outcome: "deadline", Route: "/stuck/{id}"}, l)
			})
		})
	}
}

// TestRouteOfADeadlineWithoutAMatch: a request that the mux refuses has no route.
func TestRouteOfADeadlineWithoutAMatch(t *testing.T) {
	each(t, every, routeStacks[:1], outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		release := make(latch)
		mux := http.NewServeMux()
		mux.HandleFunc("POST /stuck/{id}", func(http.ResponseWriter, *http.Request) {})
		srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-release
			mux.ServeHTTP(w, r)
		}))
		t.Cleanup(release.open)
		got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{Path: "/stuck/7"})
		assert.Equal(t, 504, got.Status)
		assert.Equal(t, line{Status: 504, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
	})
}
