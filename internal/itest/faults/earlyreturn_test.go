//go:build wire && !race

package faults_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// givesUp is middleware that answers for its handler when the handler has begun. It
// passes on the server's own writer, and returns while the handler runs.
func givesUp(begun <-chan struct{}, context func(*http.Request) *http.Request) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/next" {
				next.ServeHTTP(w, r)
				return
			}
			go next.ServeHTTP(w, context(r))
			<-begun
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, "gave up")
		})
	}
}

// TestMiddlewareThatGivesUp: middleware outside returns before the handler. net/http
// then panics if its writer is used. Neither the deadline nor the handler's return ends
// the process, and the next request of the connection is served. Such middleware races
// with its handler, so the race detector would report it.
func TestMiddlewareThatGivesUp(t *testing.T) {
	same := func(r *http.Request) *http.Request { return r }
	without := func(r *http.Request) *http.Request { return r.WithContext(context.WithoutCancel(r.Context())) }
	for _, test := range []struct {
		desc    string
		context func(*http.Request) *http.Request
		limit   time.Duration
		handler func(w http.ResponseWriter, r *http.Request, release latch)
		want    line
	}{
		{"follows its context", same, time.Minute, func(_ http.ResponseWriter, r *http.Request, _ latch) {
			<-r.Context().Done()
		}, line{Outcome: "error"}},
		{"stuck", same, limit, func(_ http.ResponseWriter, _ *http.Request, release latch) {
			<-release
		}, line{Outcome: "deadline", Abandoned: true}},
		{"stuck, writes late", same, limit, func(w http.ResponseWriter, _ *http.Request, release latch) {
			<-release
			w.Header().Set("X-Own", "x")
			io.WriteString(w, "late")
		}, line{Outcome: "deadline", Abandoned: true}},
		{"stuck, its context does not end", without, limit, func(_ http.ResponseWriter, _ *http.Request, release latch) {
			<-release
		}, line{Outcome: "deadline", Abandoned: true}},
	} {
		t.Run(test.desc, func(t *testing.T) {
			each(t, raw.Protocols, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				release, begun, returned := make(latch), make(chan struct{}), make(chan struct{})
				gives := &outside{o.desc, bulwark.Chain(o.mw, givesUp(begun, test.context), o.mw), true}
				srv, records := serve(t, s, gives, timeout.Config{Limit: test.limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/next" {
						time.Sleep(limit / 6) // longer than a deadline of the request before
						io.WriteString(w, "served")
						return
					}
					defer close(returned)
					close(begun)
					test.handler(w, r, release)
				}))
				t.Cleanup(release.open)
				c := raw.Dial(t, srv.Addr, proto)
				got := raw.Do(t, c, &raw.Request{})
				assert.Equal(t, [3]any{503, "gave up", raw.Whole}, [3]any{got.Status, got.Body, got.End})
				if s.logs {
					got := lineOf(records.Next(t))
					if proto == "2" && got.Outcome == "client_gone" { // the stream has ended, and the writer may not have been finished yet
						got = line{Outcome: "error"}
					}
					assert.Equal(t, test.want, got)
				} else if test.limit == limit {
					time.Sleep(2 * limit)
				}
				release.open()
				await(t, returned, "the handler's return")
				if h1, ok := c.(*raw.HTTP1); !ok || !h1.Closed {
					got = raw.Do(t, c, &raw.Request{Path: "/next"})
					assert.Equal(t, [3]any{200, "served", raw.Whole}, [3]any{got.Status, got.Body, got.End})
				}
			})
		})
	}
}
