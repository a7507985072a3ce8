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
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// opener returns a function that releases the handlers waiting for c. It is called
// at the latest before the server waits for them. Call opener after start.
func opener(t *testing.T, c chan struct{}) func() {
	t.Helper()
	open := sync.OnceFunc(func() { close(c) })
	t.Cleanup(open)
	return open
}

// leave makes a request and cancels it when the handler has begun.
func (s *server) leave(t *testing.T, begun <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	require.ErrorIs(t, s.Do(s.Request(t, http.MethodGet, "/path", nil).WithContext(ctx)).Err, context.Canceled)
}

// On HTTP/2 a client that disconnects ends the request, even if the handler continues:
// the log record is written at once, and a second record reports the late end.
func TestDisconnectLeavesHandlerRunning(t *testing.T) {
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
			s := start(t, testhttp.HTTP2, h.ServeHTTP)
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

// The same happens if the whole connection is lost.
func TestLostConnectionLeavesHandlersRunning(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := start(t, testhttp.HTTP2, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		<-release
	})
	open := opener(t, release)
	var conn atomic.Pointer[tls.Conn]
	tr := s.Transport()
	tr.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&tls.Dialer{Config: tr.TLSClientConfig}).DialContext(ctx, network, addr)
		if err == nil {
			conn.Store(c.(*tls.Conn))
		}
		return c, err
	}
	go func() { <-begun; _ = conn.Load().NetConn().Close() }()
	err := s.Get(t, "/").Err
	require.Error(t, err)
	m := s.lines.next(t)
	require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
	require.Equal(t, true, m["abandoned"])
	open()
	require.Equal(t, "http handler ended late", s.lines.next(t)["msg"])
}

// A handler that follows its context has one log record, with the handler's result.
func TestAHandlerThatFollowsItsContextIsNotAbandoned(t *testing.T) {
	begun := make(chan struct{})
	s := start(t, testhttp.HTTP2, func(_ http.ResponseWriter, r *http.Request) {
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

// A panic after the client has disconnected is in the note, whether it was answered or not.
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
		s := start(t, testhttp.HTTP2, h.ServeHTTP)
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

// A context that the server ends, as a BaseContext does at a shutdown, does not mean
// that the client has disconnected, and a successful response is sent completely.
func TestCanceledBaseContextIsNotADisconnect(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		base, shutdown := context.WithCancel(t.Context())
		defer shutdown()
		s := start(t, p, func(w http.ResponseWriter, r *http.Request) {
			shutdown()
			<-r.Context().Done()
			<-time.After(300 * time.Millisecond) // three times what a handler is given
			_, _ = io.WriteString(w, "whole")
		}, func(s *httptest.Server, _ *logging.Config) {
			s.Config.BaseContext = func(net.Listener) context.Context { return base }
		})
		got := s.Get(t, "/")
		require.NoError(t, got.Err)
		require.Equal(t, 200, got.Status)
		m := s.lines.next(t)
		require.NotContains(t, m, "abandoned")
		s.lines.none(t)
	})
}

// An HTTP/1 client that closes its half of the connection still reads.
func TestHalfClosedConnectionIsNotADisconnect(t *testing.T) {
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		<-time.After(300 * time.Millisecond)
		_, _ = io.WriteString(w, "whole")
	})
	got := s.Misbehaving().HalfClose(t, s.Request(t, http.MethodGet, "/", nil))
	require.NoError(t, got.Err)
	require.Equal(t, "whole", got.Body)
	require.NotContains(t, s.lines.next(t), "abandoned")
	s.lines.none(t)
}

// On HTTP/1 a failed write shows that the client has disconnected.
func TestAWriteThatFailsEndsTheRequest(t *testing.T) {
	release := make(chan struct{})
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				break
			}
		}
		<-release
	})
	open := opener(t, release)
	c := s.Dial(t)
	c.Send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	m := s.lines.next(t)
	require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
	require.Equal(t, true, m["abandoned"])
	open()
	require.Equal(t, "http handler ended late", s.lines.next(t)["msg"])
}

// At the deadline it is also known without a write.
func TestDeadlineAfterADisconnect(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		begun, release := make(chan struct{}), make(chan struct{})
		h := timeout.New(timeout.Config{Limit: 200 * time.Millisecond})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(begun)
			<-release // and never asks for its context
		}))
		s := start(t, p, h.ServeHTTP)
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

// HTTP/2 resets a stream at its write deadline. The client did not cause that.
func TestAWriteTimeoutOfHTTP2EndsTheRequest(t *testing.T) {
	for _, own := range []bool{false, true} {
		release := make(chan struct{})
		s := start(t, testhttp.HTTP2, func(w http.ResponseWriter, r *http.Request) {
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
		err := s.Get(t, "/").Err
		require.Error(t, err)
		m := s.lines.next(t)
		require.Equal(t, "write_timeout", m["outcome"], "%s", m["raw"])
		require.NotContains(t, m, "http.response.status_code")
		require.Equal(t, true, m["abandoned"])
		open()
		require.Equal(t, "http handler ended late", s.lines.next(t)["msg"])
	}
}

// The log record is written while the handler is using the request and the response.
func TestRecordOfADisconnectDoesNotRaceWithTheHandler(t *testing.T) {
	for _, stack := range []func(http.Handler) http.Handler{
		func(h http.Handler) http.Handler { return h }, timeout.New(timeout.Config{Limit: time.Minute}),
	} {
		begun, release := make(chan struct{}), make(chan struct{})
		s := start(t, testhttp.HTTP2, stack(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
