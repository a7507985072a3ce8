//go:build wire

package faults_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// tunnel serves inner over the hijacked connection, with the request's context as
// parent, as h2c.NewHandler and proxies that inspect tunnels do.
func tunnel(t *testing.T, inner http.Handler) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		_, err = io.WriteString(conn, switching)
		assert.NoError(t, err)
		srv := &http.Server{
			Handler: inner, Protocols: new(http.Protocols),
			// net/http cancels the context of the hijacked request when the server inside
			// ends a read of the connection.
			BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(r.Context()) },
		}
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
		l := &oneConn{Conn: &buffered{conn, rw.Reader, make(chan struct{}), sync.Once{}}}
		srv.Serve(l)
		<-l.Conn.closed
	})
}

// oneConn is a listener of one connection.
type oneConn struct {
	Conn  *buffered
	given bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.given {
		return nil, net.ErrClosed
	}
	l.given = true
	return l.Conn, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.Conn.LocalAddr() }

type buffered struct {
	net.Conn

	in     *bufio.Reader
	closed chan struct{}
	once   sync.Once
}

func (c *buffered) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c *buffered) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// TestRequestsInATunnel: the requests over a hijacked connection have their own records,
// ids, deadlines and limits.
//
// https://github.com/elazarl/goproxy/issues/407
func TestRequestsInATunnel(t *testing.T) {
	inner := http.NewServeMux()
	inner.HandleFunc("GET /items/{id}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, logging.RequestID(r.Context()))
	})
	inner.HandleFunc("GET /slow/{id}", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	inner.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("of the handler") })
	inner.HandleFunc("GET /error", func(w http.ResponseWriter, r *http.Request) { errs.Write(w, r, errTeapot) })
	inner.HandleFunc("POST /large", func(http.ResponseWriter, *http.Request) {})
	stacks := []struct {
		desc         string
		outer, inner func(*raw.Records) middleware
	}{
		{"all in all",
			func(r *raw.Records) middleware { return all(r, timeout.Config{Limit: time.Minute}) },
			func(r *raw.Records) middleware {
				return bulwark.Chain(logging.New(r.Config()), timeout.New(timeout.Config{Limit: limit}), limits.New(limits.Config{MaxBodyBytes: 4}), errs.Recover)
			}},
		{"logging outside",
			func(r *raw.Records) middleware { return logging.New(r.Config()) },
			func(r *raw.Records) middleware {
				return bulwark.Chain(logging.New(r.Config()), timeout.New(timeout.Config{Limit: limit}), limits.New(limits.Config{MaxBodyBytes: 4}), errs.Recover)
			}},
		{"timeout outside",
			func(*raw.Records) middleware { return timeout.New(timeout.Config{Limit: limit}) },
			func(r *raw.Records) middleware {
				return bulwark.Chain(logging.New(r.Config()), timeout.New(timeout.Config{Limit: limit}), limits.New(limits.Config{MaxBodyBytes: 4}), errs.Recover)
			}},
	}
	requests := []struct {
		raw.Request
		status int
		line   line
	}{
		{raw.Request{Path: "/items/1"}, 200, line{Status: 200, Outcome: "ok", Route: "/items/{id}"}},
		{raw.Request{Path: "/items/2"}, 200, line{Status: 200, Outcome: "ok", Route: "/items/{id}"}},
		{raw.Request{Path: "/nowhere"}, 404, line{Status: 404, Outcome: "ok"}},
		{raw.Request{Path: "/error"}, 418, line{Status: 418, Outcome: "ok", Route: "/error"}},
		{raw.Request{Path: "/panic"}, 500, line{Status: 500, Outcome: "panic", Route: "/panic"}},
		{raw.Request{Method: "POST", Path: "/large", Body: "1234"}, 200, line{Status: 200, Outcome: "ok", Route: "/large"}},
		{raw.Request{Path: "/slow/1"}, 504, line{Status: 504, Outcome: "deadline", Route: "/slow/{id}"}},
	}
	for _, s := range stacks {
		for _, proto := range []string{"1.1", "2"} {
			t.Run(s.desc+", HTTP/"+proto+" inside", func(t *testing.T) {
				t.Parallel()
				outside, inside := raw.NewRecords(), raw.NewRecords()
				srv := raw.Start(t, &http.Server{Handler: s.outer(outside)(tunnel(t, s.inner(inside)(inner)))})
				c := raw.DialHTTP1(t, srv.Addr, "1.1")
				got := raw.Do(t, c, &raw.Request{Header: []string{"Connection: Upgrade", "Upgrade: test"}})
				assert.Equal(t, 101, got.Status)
				var client raw.Client = c
				if proto == "2" {
					client = raw.NewHTTP2(c.Conn, 1<<20)
				}
				ids := map[string]bool{}
				for _, r := range requests {
					got := raw.Do(t, client, &r.Request)
					assert.Equal(t, [2]any{r.status, raw.Whole}, [2]any{got.Status, got.End}, r.Path)
					if got.End == raw.None || got.End == raw.Hangs {
						break
					}
					rec := inside.Next(t)
					l := lineOf(rec)
					l.Abandoned = false
					assert.Equal(t, r.line, l)
					assert.NotEmpty(t, rec.RequestID)
					assert.False(t, ids[rec.RequestID], "the same id twice")
					ids[rec.RequestID] = true
					if r.status == 200 && r.Method == "" {
						assert.Equal(t, rec.RequestID, got.Body)
					}
				}
				c.Close()
				alone(t, inside)
				if s.desc != "timeout outside" {
					assert.Equal(t, line{Status: 101, Outcome: "upgraded"}, lineOf(outside.Next(t)))
					alone(t, outside)
				}
			})
		}
	}
}

// TestRequestOfAnEndedContext: a request with the context of an earlier one, as in
// background work, is not taken for the earlier one.
func TestRequestOfAnEndedContext(t *testing.T) {
	for _, s := range []stack{whole, stacks[1], {"logging", true, false, func(r *raw.Records, _ timeout.Config) middleware { return logging.New(r.Config()) }}} {
		for _, proto := range every {
			t.Run(s.desc+", HTTP/"+proto, func(t *testing.T) {
				t.Parallel()
				records, kept := raw.NewRecords(), make(chan context.Context, 1)
				h := s.build(records, timeout.Config{Limit: time.Minute})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/" {
						kept <- r.Context()
					}
					io.WriteString(w, logging.RequestID(r.Context()))
				}))
				srv := raw.Start(t, &http.Server{Handler: h})
				first := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
				before := records.Next(t)
				assert.Equal(t, before.RequestID, first.Body)
				ctx := <-kept
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, httptest.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "/again", http.NoBody))
				after := records.Next(t)
				assert.Equal(t, line{Status: 200, Outcome: "ok"}, lineOf(after))
				assert.Equal(t, "/again", after.Path)
				assert.Equal(t, after.RequestID, rec.Body.String())
				assert.NotEqual(t, before.RequestID, after.RequestID)
			})
		}
	}
}
