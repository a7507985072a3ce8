package timeout_test

import (
	"net/http"
	"net/http/httptrace"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/timeout"
)

const gatewayTimeout = "Gateway Timeout\n"

// A handler that ignores its context: the complete 504 is with the client while
// the handler is still stuck.
func TestStuckHandler(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		stuck := make(chan struct{})
		s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Etag", `"of the success"`)
				<-stuck
			})))
		defer close(stuck)
		res := s.get(t)
		assert.Equal(t, http.StatusGatewayTimeout, res.status)
		assert.Equal(t, gatewayTimeout, res.body)
		assert.Equal(t, strconv.Itoa(len(gatewayTimeout)), res.header.Get("Content-Length"))
		assert.Empty(t, res.header.Get("Etag"), "the 504 drops the headers of the success that was given up")
		assert.GreaterOrEqual(t, res.took, limit)
		if !v.touch { // in place, the end of the stream comes as a reset
			assert.NoError(t, res.err)
		}
	})
}

func TestStuckHandlerHTTP1(t *testing.T) {
	stuck, stack := make(chan struct{}), make(chan string, 1)
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) {
			stack <- string(debug.Stack())
			<-stuck
		})))
	defer close(stuck)
	c := s.dial(t)
	c.get(t, http.MethodGet)
	res, body, err := c.response(t, http.MethodGet)
	require.NoError(t, err)
	assert.Equal(t, http.StatusGatewayTimeout, res.StatusCode)
	assert.Equal(t, gatewayTimeout, body)
	assert.Equal(t, int64(len(gatewayTimeout)), res.ContentLength)
	assert.True(t, res.Close, "Connection: close")
	assert.Contains(t, <-stack, "net/http.(*conn).serve(", "the handler runs where net/http put it")
}

// Not one goroutine more than without the middleware.
func TestStuckHandlersHTTP1CostNoGoroutine(t *testing.T) {
	const requests = 50
	var n [2]int
	for i, mw := range []func(http.Handler) http.Handler{
		func(h http.Handler) http.Handler { return h },
		timeout.New(timeout.Config{Limit: watchdog}),
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			before := runtime.NumGoroutine()
			stuck, in := make(chan struct{}), make(chan struct{})
			s := variants[0].start(t, mw(http.HandlerFunc(
				func(_ http.ResponseWriter, r *http.Request) {
					in <- struct{}{}
					select {
					case <-r.Context().Done():
					case <-stuck:
					}
				})))
			defer close(stuck)
			for range requests {
				s.dial(t).get(t, http.MethodGet)
				<-in
			}
			settled(func() bool { return runtime.NumGoroutine()-before <= 2*requests+5 })
			n[i] = runtime.NumGoroutine() - before
		})
	}
	assert.InDelta(t, n[0], n[1], 5, "requests of %d goroutines bare, %d with a deadline", n[0], n[1])
}

// settled waits a little for what is only eventually true.
func settled(ok func() bool) {
	for end := time.Now().Add(time.Second); !ok() && time.Now().Before(end); {
		runtime.Gosched()
	}
}

// A pipelined request must not be served after an answer that said
// Connection: close.
func TestStuckHandlerHTTP1ClosesConnection(t *testing.T) {
	stuck := make(chan struct{})
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { <-stuck })))
	c := s.dial(t)
	c.get(t, http.MethodGet)
	c.get(t, http.MethodGet)
	_, _, err := c.response(t, http.MethodGet)
	require.NoError(t, err)
	close(stuck)
	assert.Empty(t, c.rest(t))
}

// On HTTP/2 the answer ends the stream while the handler is stuck, and the
// connection serves on: no GOAWAY, which Connection: close would have sent.
func TestStuckHandlerHTTP2KeepsConnection(t *testing.T) {
	stuck, stack := make(chan struct{}), make(chan string, 1)
	s := variants[1].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stuck" {
				stack <- string(debug.Stack())
				<-stuck
			}
		})))
	defer close(stuck)
	var conns []httptrace.GotConnInfo
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { conns = append(conns, i) }}
	for _, path := range []string{"/", "/stuck", "/", "/stuck", "/"} {
		req := s.request(t, http.MethodGet, http.NoBody)
		req.URL.Path = path
		res := s.do(t, req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
		require.NoError(t, res.err, "the stream ends while the handler is stuck")
		assert.Empty(t, res.header.Get("Connection"))
		if path == "/stuck" {
			assert.Equal(t, http.StatusGatewayTimeout, res.status)
			own, _, _ := strings.Cut(<-stack, "created by")
			assert.NotContains(t, own, "net/http.(*http2serverConn)")
			assert.Contains(t, own, "serveApart", "on a goroutine of its own")
		} else {
			assert.Equal(t, http.StatusOK, res.status)
		}
	}
	require.Len(t, conns, 5)
	for i, c := range conns[1:] {
		assert.True(t, c.Reused, "request %d", i+2)
	}
}

// Where something has touched the request first the handler is not given a
// goroutine: at the deadline the client has all of the answer, and the end of
// the stream as a reset. The connection serves on all the same.
func TestStuckHandlerHTTP2InPlace(t *testing.T) {
	stuck, stack := make(chan struct{}), make(chan string, 2)
	s := variants[2].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) {
			stack <- string(debug.Stack())
			<-stuck
		})))
	defer close(stuck)
	var conns []httptrace.GotConnInfo
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { conns = append(conns, i) }}
	for range 2 {
		req := s.request(t, http.MethodGet, http.NoBody)
		res := s.do(t, req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
		assert.Equal(t, http.StatusGatewayTimeout, res.status)
		assert.Equal(t, gatewayTimeout, res.body)
		assert.Empty(t, res.header.Get("Connection"))
		assert.NotContains(t, <-stack, "serveApart")
	}
	require.Len(t, conns, 2)
	assert.True(t, conns[1].Reused)
}

// A handler that does listen and answers late is answered for all the same:
// one that reached the deadline is never turned into a success.
func TestLateAnswerIsRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		wrote := make(chan error, 1)
		s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				w.WriteHeader(http.StatusOK)
				_, err := w.Write([]byte("late"))
				wrote <- err
			})))
		res := s.get(t)
		assert.Equal(t, http.StatusGatewayTimeout, res.status)
		assert.Equal(t, gatewayTimeout, res.body)
		assert.ErrorIs(t, receive(t, wrote, "the late Write"), http.ErrHandlerTimeout)
		assert.NotContains(t, s.log.String(), "superfluous")
	})
}

// A handler that finished in time is never turned into a timeout, however
// close it was: at the very moment of the deadline either is right, but never
// a mixture.
func TestAtTheDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		v.bubble(t, timeout.New(timeout.Config{Limit: time.Second})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				<-time.After(time.Second)
				w.Header().Set("Content-Length", "2")
				_, _ = w.Write([]byte("ok"))
			})), func(t *testing.T, s *server) {
			for range 50 {
				switch res := s.get(t); res.status {
				case http.StatusOK:
					assert.Equal(t, "ok", res.body)
					assert.NoError(t, res.err)
				case http.StatusGatewayTimeout:
					assert.Equal(t, gatewayTimeout, res.body)
				default:
					assert.Error(t, res.err) // begun, and cut
				}
			}
		})
	})
}
