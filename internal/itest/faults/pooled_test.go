//go:build wire

package faults_test

import (
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
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

// router keeps the parameters of a path outside the request, in memory that it reuses
// when the handler has returned, for example as httprouter does.
type router struct {
	pool  sync.Pool
	route func(w http.ResponseWriter, r *http.Request, p *params)
	mw    middleware // of the route
}

type params struct{ id string }

func (o *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, _ := o.pool.Get().(*params)
	if p == nil {
		p = new(params)
	}
	p.id = strings.TrimPrefix(r.URL.Path, "/users/")
	defer o.pool.Put(p)
	o.mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.route(w, r, p) })).ServeHTTP(w, r)
}

// TestPooledParams: a handler that outlives its deadline inside such a router still sees
// the parameters of its own request, because it is not left behind on HTTP/2.
//
// https://github.com/go-chi/chi/issues/993
func TestPooledParams(t *testing.T) {
	for _, l := range []struct {
		desc  string
		outer func(*raw.Records) middleware // around the router
		route func(*raw.Records) middleware // around the route
		logs  bool
	}{
		{"timeout on the route", nil, func(*raw.Records) middleware { return timeout.New(timeout.Config{Limit: limit}) }, false},
		{"all on the route", nil, func(r *raw.Records) middleware { return all(r, timeout.Config{Limit: limit}) }, true},
		{"logging around, timeout on the route", func(r *raw.Records) middleware { return logging.New(r.Config()) },
			func(*raw.Records) middleware { return timeout.New(timeout.Config{Limit: limit}) }, true},
		{"logging and limits around, timeout on the route", func(r *raw.Records) middleware {
			return bulwark.Chain(logging.New(r.Config()), limits.New(limits.Config{MaxInFlight: 10}))
		}, func(*raw.Records) middleware { return timeout.New(timeout.Config{Limit: limit}) }, true},
		{"Recover around, limits and timeout on the route", func(*raw.Records) middleware { return errmap.New(errmap.Config{}).Recover },
			func(*raw.Records) middleware {
				return bulwark.Chain(limits.New(limits.Config{MaxInFlight: 10}), timeout.New(timeout.Config{Limit: limit}))
			}, false},
		{"a longer timeout around, another on the route", func(r *raw.Records) middleware {
			return bulwark.Chain(logging.New(r.Config()), timeout.New(timeout.Config{Limit: time.Minute, Cooperative: true}))
		}, func(*raw.Records) middleware { return timeout.New(timeout.Config{Limit: limit}) }, true},
	} {
		if l.outer == nil {
			l.outer = func(*raw.Records) middleware { return bulwark.Chain() }
		}
		for _, proto := range every {
			t.Run(l.desc+", HTTP/"+proto, func(t *testing.T) {
				t.Parallel()
				records, release, seen := raw.NewRecords(), make(latch), make(chan string, 1)
				srv := raw.Start(t, &http.Server{Handler: l.outer(records)(&router{
					mw: l.route(records),
					route: func(w http.ResponseWriter, _ *http.Request, p *params) {
						if p.id == "1" {
							<-release
							seen <- p.id
						}
						io.WriteString(w, p.id)
					},
				})})
				t.Cleanup(release.open)
				first := raw.Dial(t, srv.Addr, proto)
				got := raw.Do(t, first, &raw.Request{Path: "/users/1"})
				assert.Equal(t, [2]any{504, "Gateway Timeout\n"}, [2]any{got.Status, got.Body})
				if l.logs {
					assert.Equal(t, line{Status: 504, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
				}
				for range 20 {
					next := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{Path: "/users/2"})
					assert.Equal(t, [3]any{200, "2", raw.Whole}, [3]any{next.Status, next.Body, next.End})
				}
				release.open()
				assert.Equal(t, "1", <-seen, "the parameter that the first handler sees")
			})
		}
	}
}

// detached is c with Detach, which asserts that middleware around takes nothing back.
func detached(t *testing.T, c timeout.Config) timeout.Config {
	t.Helper()
	f := reflect.ValueOf(&c).Elem().FieldByName("Detach")
	if !f.IsValid() {
		assert.Fail(t, "timeout.Config has no Detach")
		return c
	}
	f.SetBool(true)
	return c
}

// TestDetach: with Detach a stuck handler is left behind in any place, and the stream
// ends cleanly.
func TestDetach(t *testing.T) {
	for _, h := range stuckHandlers {
		t.Run(h.desc, func(t *testing.T) {
			t.Parallel()
			each(t, http2, stacks, inPlace, func(t *testing.T, proto string, s *stack, o *outside) {
				release := make(latch)
				srv, records := serve(t, s, o, detached(t, timeout.Config{Limit: limit}), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					h.do(w, r)
					<-release
				}))
				t.Cleanup(release.open)
				got := raw.Do(t, raw.DialHTTP2(t, srv.Addr, 1<<20), &h.request)
				got.Early, got.Code = nil, 0
				assert.Equal(t, s.lateAnswer(proto, h.request.Method, h.status), got.Stable())
				if s.logs {
					l := lineOf(records.Next(t))
					l.Route = ""
					assert.Equal(t, line{Status: h.status, Outcome: "deadline", Abandoned: true}, l)
				}
			})
		})
	}
}

// TestHandlersOfAConnection: a server runs only so many handlers of a connection. Those
// that are stuck do not count from their deadline on, even if their clients have left.
func TestHandlersOfAConnection(t *testing.T) {
	nested := stack{"logging, timeout, cooperative timeout", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), timeout.New(c), timeout.New(timeout.Config{Limit: c.Limit / 2, Cooperative: true}))
	}}
	each(t, http2, append(slices.Clip(stacks), nested), outsides[:1], func(t *testing.T, _ string, s *stack, o *outside) {
		release, entered := make(latch), make(chan struct{}, 2)
		records := raw.NewRecords()
		h := o.mw(s.build(records, timeout.Config{Limit: limit})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stuck" {
				_ = r.Context().Done() // from now on the context is watched
				entered <- struct{}{}
				<-release
			}
		})))
		srv := raw.Start(t, &http.Server{Handler: h, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 2}})
		t.Cleanup(release.open)
		c := raw.DialHTTP2(t, srv.Addr, raw.Window)
		for range cap(entered) {
			c.Send(t, &raw.Request{Path: "/stuck"})
			<-entered
			assert.NoError(t, c.Stream().Reset())
		}
		assert.Equal(t, 200, raw.Do(t, c, &raw.Request{}).Status)
		if s.logs {
			want := line{Status: 499, Outcome: "client_gone", Abandoned: true}
			got := lineOf(recordOf(t, records, "/stuck"))
			got.Intended = 0
			assert.Equal(t, want, got)
		}
	})
}
