//go:build wire

package faults_test

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// counting is a listener that counts its open connections. Each is a wrapper with
// NetConn, as those of golang.org/x/net/netutil.LimitListener and TLS are.
type counting struct {
	net.Listener

	open atomic.Int64
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &countedConn{Conn: c, of: l}, nil
}

type countedConn struct {
	net.Conn

	of   *counting
	once sync.Once
}

func (c *countedConn) NetConn() net.Conn { return c.Conn }

func (c *countedConn) Close() error {
	c.once.Do(func() { c.of.open.Add(-1) })
	return c.Conn.Close()
}

// cuts are responses that must not end cleanly.
var cuts = []struct {
	desc    string
	outcome string
	do      func(w http.ResponseWriter, r *http.Request, release <-chan struct{}) error
}{
	{"a late error", "error", func(http.ResponseWriter, *http.Request, <-chan struct{}) error { return errUnknown }},
	{"a late panic", "panic", func(http.ResponseWriter, *http.Request, <-chan struct{}) error { panic("late") }},
	{"ErrAbortHandler", "aborted", func(http.ResponseWriter, *http.Request, <-chan struct{}) error { panic(http.ErrAbortHandler) }},
	{"a deadline that is followed", "deadline", func(_ http.ResponseWriter, r *http.Request, _ <-chan struct{}) error {
		<-r.Context().Done()
		return r.Context().Err()
	}},
	{"a deadline of a stuck handler", "deadline", func(_ http.ResponseWriter, _ *http.Request, release <-chan struct{}) error {
		<-release
		return nil
	}},
}

// deadline is the configuration of a case: only some wait for the deadline.
func deadline(desc string) timeout.Config {
	if strings.HasPrefix(desc, "a deadline") {
		return timeout.Config{Limit: limit}
	}
	return timeout.Config{Limit: time.Minute}
}

// TestAbortClosesTheServersConnection: the server's connection is closed, not the one
// that it wraps.
func TestAbortClosesTheServersConnection(t *testing.T) {
	for _, e := range cuts {
		t.Run(e.desc, func(t *testing.T) {
			t.Parallel()
			each(t, http1, []stack{whole}, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				inner, err := net.Listen("tcp", "127.0.0.1:0")
				assert.NoError(t, err)
				l, records, release := &counting{Listener: inner}, raw.NewRecords(), make(latch)
				h := errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
					io.WriteString(w, "begun")
					assert.NoError(t, http.NewResponseController(w).Flush())
					return e.do(w, r, release)
				})
				srv := raw.StartOn(t, &http.Server{Handler: o.mw(s.build(records, deadline(e.desc))(h))}, l)
				t.Cleanup(release.open)
				got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
				if e.outcome == "aborted" && proto == "1.0" {
					got.End = raw.Cut // net/http's own end of it looks complete
				}
				assert.Equal(t, [3]any{200, "begun", raw.Cut}, [3]any{got.Status, got.Body, got.End})
				assert.Equal(t, e.outcome, string(records.Next(t).Outcome))
				assert.Eventually(t, func() bool { return l.open.Load() == 0 }, raw.Patience/4, time.Millisecond, "the listener counts it still")
			})
		})
	}
}

// gzipWriter is the writer of a compressing middleware: it has Unwrap, and ends its
// stream when the handler has returned.
type gzipWriter struct {
	http.ResponseWriter

	z *gzip.Writer
}

func (w *gzipWriter) Write(p []byte) (int, error) { return w.z.Write(p) }
func (w *gzipWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *gzipWriter) Flush()                      { w.z.Flush(); _ = http.NewResponseController(w.ResponseWriter).Flush() }
func compressing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := &gzipWriter{w, gzip.NewWriter(w)}
		defer z.z.Close()
		next.ServeHTTP(z, r)
	})
}

// flushing flushes when the handler has returned, or panicked.
func flushing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { w.(http.Flusher).Flush() }()
		next.ServeHTTP(w, r)
	})
}

// TestAbortBehindOuterWriters: outer middleware that writes or flushes after an abort
// finds a response that takes nothing, and no hijacked connection.
func TestAbortBehindOuterWriters(t *testing.T) {
	outer := []outside{
		{"compression", compressing, true},
		{"a flush at the end", flushing, true},
		{"a write at the end", func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer io.WriteString(w, "appended")
				next.ServeHTTP(w, r)
			})
		}, true},
	}
	for _, e := range cuts {
		if e.desc == "a deadline of a stuck handler" {
			continue // there only a hijack closes the connection
		}
		t.Run(e.desc, func(t *testing.T) {
			t.Parallel()
			each(t, every, []stack{whole}, outer, func(t *testing.T, proto string, s *stack, o *outside) {
				srv, records := serve(t, s, o, deadline(e.desc), errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
					io.WriteString(w, "begun")
					assert.NoError(t, http.NewResponseController(w).Flush())
					return e.do(w, r, nil)
				}))
				got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
				assert.Equal(t, 200, got.Status)
				if e.outcome != "aborted" || proto != "1.0" { // net/http's own end of it looks complete
					assert.NotEqual(t, raw.Whole, got.End, "%+v", got)
				}
				assert.NotContains(t, got.Body, "appended")
				assert.Equal(t, e.outcome, string(records.Next(t).Outcome))
				_ = srv.Shutdown(context.Background())
				if proto != "1.0" { // only a reset shows the abort, and that takes a hijack
					assert.NotContains(t, srv.Log.String(), "hijacked")
					assert.NotContains(t, srv.Log.String(), "nil pointer")
				}
			})
		})
	}
}

// TestContextOfAStuckWrite: the context of a handler that is stuck in a write ends at
// the deadline, also behind a writer that passes on no deadline.
func TestContextOfAStuckWrite(t *testing.T) {
	outer := append([]outside{{"a writer without Unwrap", opaque, true}}, outsides...)
	for _, c := range []timeout.Config{{Limit: limit}, {Limit: limit, Stream: limit}} {
		each(t, every, stacks, outer, func(t *testing.T, proto string, s *stack, o *outside) {
			ended := make(chan struct{})
			srv, _ := serve(t, s, o, c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx := r.Context()
				go func() {
					<-ctx.Done()
					close(ended)
				}()
				for {
					if _, err := w.Write(make([]byte, 64<<10)); err != nil {
						return
					}
				}
			}))
			var client raw.Client
			if proto == "2" {
				client = raw.DialHTTP2(t, srv.Addr, 0)
			} else {
				client = raw.DialSmall(t, srv.Addr, proto)
			}
			client.Send(t, &raw.Request{})
			await(t, ended, "the end of the context")
			client.Close()
		})
	}
}

// TestStuckAfterAnAbort: a handler that is stuck after its response was aborted does not
// keep the client and the record waiting past the deadline.
func TestStuckAfterAnAbort(t *testing.T) {
	each(t, every, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		release := make(latch)
		srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begun")
			assert.NoError(t, http.NewResponseController(w).Flush())
			errs.Write(w, r, errUnknown)
			<-release
		}))
		t.Cleanup(release.open)
		got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{}).Neutral()
		assert.Equal(t, [3]any{200, "begun", raw.Cut}, [3]any{got.Status, got.Body, got.End})
		if s.logs {
			assert.Equal(t, line{Status: 200, Intended: 500, Outcome: "error", Abandoned: true}, lineOf(records.Next(t)))
			release.open()
			_ = srv.Close()
			alone(t, records)
		}
	})
}
