package logging_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// opener returns what lets the handlers waiting for c go on, at the latest before
// the server waits for them. To be called after start.
func opener(t *testing.T, c chan struct{}) func() {
	t.Helper()
	open := sync.OnceFunc(func() { close(c) })
	t.Cleanup(open)
	return open
}

// leave makes a request and gives it up as soon as the handler has begun.
func (s *server) leave(t *testing.T, begun <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/path", nil)
	require.NoError(t, err)
	res, err := s.Client().Do(r)
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
}

// On HTTP/2 a client that leaves ends the request, whatever its handler goes on
// doing: the line says so at once, and a note tells of the late end.
func TestAClientThatLeavesAHandlerBehind(t *testing.T) {
	for _, tt := range []struct {
		desc  string
		stack func(http.Handler) http.Handler
		head  bool // the response has begun
	}{
		{"alone", func(h http.Handler) http.Handler { return h }, false},
		{"begun", func(h http.Handler) http.Handler { return h }, true},
		{"on a goroutine of its own", timeout.New(timeout.Config{Limit: time.Minute}), false},
		{"in place", func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				timeout.New(timeout.Config{Limit: time.Minute})(h).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), watched{}, 1)))
			})
		}, false},
		{"nested", func(h http.Handler) http.Handler {
			return timeout.New(timeout.Config{Limit: time.Minute})(timeout.New(timeout.Config{Limit: time.Second * 50})(h))
		}, true},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			begun, release, failed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			h := tt.stack(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.head {
					_, _ = io.WriteString(w, "half")
					_ = http.NewResponseController(w).Flush()
				}
				close(begun)
				<-r.Context().Done()
				<-release
				logging.Add(r.Context(), logAttr("late", "yes"))
				_, err := io.WriteString(w, "late")
				failed <- err
			}))
			s := start(t, true, h.ServeHTTP)
			open := opener(t, release)
			s.leave(t, begun)
			m := s.lines.next(t)
			require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
			require.Equal(t, "http request", m["msg"])
			require.Equal(t, true, m["abandoned"])
			require.Equal(t, "/path", m["url.path"])
			require.Equal(t, "INFO", m["level"])
			want := 499.0
			if tt.head {
				want = 200
			}
			require.Equal(t, want, m["http.response.status_code"])
			open()
			require.ErrorIs(t, <-failed, timeout.ErrClientGone)
			late := s.lines.next(t)
			require.Equal(t, "http handler ended late", late["msg"])
			require.Equal(t, m["request_id"], late["request_id"])
			require.Equal(t, "yes", late["late"])
			require.Equal(t, "WARN", late["level"])
			s.lines.none(t)
		})
	}
}

type watched struct{}

// The same where the whole connection is lost.
func TestALostConnectionLeavesHandlersBehind(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := start(t, true, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		<-release
	})
	open := opener(t, release)
	var conn atomic.Pointer[tls.Conn]
	tr := s.Client().Transport.(*http.Transport)
	tr.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&tls.Dialer{Config: tr.TLSClientConfig}).DialContext(ctx, network, addr)
		if err == nil {
			conn.Store(c.(*tls.Conn))
		}
		return c, err
	}
	go func() { <-begun; _ = conn.Load().NetConn().Close() }()
	_, err := s.get(t, "/")
	require.Error(t, err)
	m := s.lines.next(t)
	require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
	require.Equal(t, true, m["abandoned"])
	open()
	require.Equal(t, "http handler ended late", s.lines.next(t)["msg"])
}

// A handler that follows its context has one line, with what it made of it.
func TestAHandlerThatFollowsItsContextIsNotAbandoned(t *testing.T) {
	begun := make(chan struct{})
	s := start(t, true, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		panic("on the way out")
	})
	s.leave(t, begun)
	m := s.lines.next(t)
	if m["abandoned"] == true { // on a machine that is busy
		m = s.lines.next(t)
	}
	require.Equal(t, "panic", m["outcome"], "%s", m["raw"])
	s.lines.none(t)
}

// A panic after the client has left is in the note, answered or not.
func TestAPanicAfterTheClientHasLeft(t *testing.T) {
	for _, recovered := range []bool{false, true} {
		begun, release := make(chan struct{}), make(chan struct{})
		var h http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
			<-release
			thePlace()
		})
		if recovered {
			h = errmap.New(errmap.Config{}).Recover(h)
		}
		s := start(t, true, h.ServeHTTP)
		open := opener(t, release)
		s.leave(t, begun)
		require.Equal(t, "client_gone", s.lines.next(t)["outcome"])
		open()
		late := s.lines.next(t)
		require.Equal(t, "panic", late["outcome"])
		require.Equal(t, "ERROR", late["level"])
		require.Contains(t, late["exception.stacktrace"], "thePlace")
		s.lines.none(t)
	}
}

// A context that ends for a reason of ours, as a BaseContext does at a
// shutdown, leaves the client where it is, and a healthy answer whole.
func TestABaseContextThatEndsIsNoClientThatLeaves(t *testing.T) {
	bothProtocols(t, func(t *testing.T, h2 bool) {
		base, shutdown := context.WithCancel(t.Context())
		defer shutdown()
		s := start(t, h2, func(w http.ResponseWriter, r *http.Request) {
			shutdown()
			<-r.Context().Done()
			<-time.After(300 * time.Millisecond) // three times what a handler is given
			_, _ = io.WriteString(w, "whole")
		}, func(s *httptest.Server, _ *logging.Config) {
			s.Config.BaseContext = func(net.Listener) context.Context { return base }
		})
		res, err := s.get(t, "/")
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode)
		m := s.lines.next(t)
		require.NotContains(t, m, "abandoned")
		s.lines.none(t)
	})
}

// A client of HTTP/1 that closes its half of the connection still reads.
func TestAHalfClosedConnectionIsNoClientThatLeaves(t *testing.T) {
	s := start(t, false, func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		<-time.After(300 * time.Millisecond)
		_, _ = io.WriteString(w, "whole")
	})
	c, br := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "whole", string(b))
	require.NotContains(t, s.lines.next(t), "abandoned")
	s.lines.none(t)
}

// On HTTP/1 the write that fails tells that the client has left.
func TestAWriteThatFailsEndsTheRequest(t *testing.T) {
	release := make(chan struct{})
	s := start(t, false, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				break
			}
		}
		<-release
	})
	open := opener(t, release)
	c, _ := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	m := s.lines.next(t)
	require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
	require.Equal(t, true, m["abandoned"])
	open()
	require.Equal(t, "http handler ended late", s.lines.next(t)["msg"])
}

// At the deadline it is known, too, without a write.
func TestTheDeadlineOfAClientThatHasLeft(t *testing.T) {
	bothProtocols(t, func(t *testing.T, h2 bool) {
		begun, release := make(chan struct{}), make(chan struct{})
		h := timeout.New(timeout.Config{Limit: 200 * time.Millisecond})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(begun)
			<-release // and never asks for its context
		}))
		s := start(t, h2, h.ServeHTTP)
		open := opener(t, release)
		s.leave(t, begun)
		m := s.lines.next(t)
		require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
		require.EqualValues(t, 499, m["http.response.status_code"])
		require.Equal(t, true, m["abandoned"])
		open()
		require.Equal(t, "http handler ended late", s.lines.next(t)["msg"])
	})
}

// HTTP/2 resets a stream at its write deadline, which is not the client's doing.
func TestAWriteTimeoutOfHTTP2EndsTheRequest(t *testing.T) {
	for _, own := range []bool{false, true} {
		release := make(chan struct{})
		s := start(t, true, func(w http.ResponseWriter, r *http.Request) {
			if own {
				_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			}
			<-r.Context().Done()
			<-release
		}, func(s *httptest.Server, _ *logging.Config) {
			s.Config.WriteTimeout = 500 * time.Millisecond // bounds the TLS handshake, too
			if own {
				s.Config.WriteTimeout = time.Minute
			}
		})
		open := opener(t, release)
		_, err := s.get(t, "/")
		require.Error(t, err)
		m := s.lines.next(t)
		require.Equal(t, "write_timeout", m["outcome"], "%s", m["raw"])
		require.NotContains(t, m, "http.response.status_code")
		require.Equal(t, true, m["abandoned"])
		open()
		require.Equal(t, "http handler ended late", s.lines.next(t)["msg"])
	}
}

// The line is written while the handler has the request and the response in its
// hands.
func TestTheLineOfADepartureTouchesNothingOfTheHandlers(t *testing.T) {
	for _, stack := range []func(http.Handler) http.Handler{
		func(h http.Handler) http.Handler { return h }, timeout.New(timeout.Config{Limit: time.Minute}),
	} {
		begun, release := make(chan struct{}), make(chan struct{})
		s := start(t, true, stack(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Answer", "sent")
			_ = http.NewResponseController(w).Flush()
			close(begun)
			<-r.Context().Done()
			for i := 0; ; i++ {
				select {
				case <-release:
					return
				default:
				}
				v := strconv.Itoa(i)
				w.Header().Set("X-Answer", v)
				r.Header.Set("User-Agent", v)
				r.URL.Path, r.Method, r.Pattern, r.RemoteAddr = "/"+v, v, "/"+v, v
				_, _ = io.WriteString(w, v)
				runtime.Gosched()
			}
		})).ServeHTTP, func(_ *httptest.Server, c *logging.Config) {
			c.RequestHeaders, c.ResponseHeaders = []string{"User-Agent"}, []string{"X-Answer"}
		})
		open := opener(t, release)
		s.leave(t, begun)
		m := s.lines.next(t)
		require.Equal(t, "client_gone", m["outcome"])
		require.Equal(t, "/path", m["url.path"])
		require.Equal(t, []any{"sent"}, m["http.response.header.x-answer"])
		require.Equal(t, "GET", m["http.request.method"])
		open()
		require.Equal(t, "http handler ended late", s.lines.next(t)["msg"])
	}
}
