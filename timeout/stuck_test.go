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

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

const gatewayTimeout = "Gateway Timeout\n"

// If the handler ignores its context, the client gets the complete 504 while the
// handler is still stuck.
//
// Reported elsewhere: the answer waits for the handler, https://github.com/gin-contrib/timeout/issues/84
func TestStuckHandler(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		stuck := make(chan struct{})
		s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Etag", `"of the success"`)
				<-stuck
			})))
		defer close(stuck)
		res := s.Get(t, "/")
		assert.Equal(t, http.StatusGatewayTimeout, res.Status)
		assert.Equal(t, gatewayTimeout, res.Body)
		assert.Equal(t, strconv.Itoa(len(gatewayTimeout)), res.Header.Get("Content-Length"))
		assert.Empty(t, res.Header.Get("Etag"), "the 504 drops the headers of the success that was given up")
		assert.GreaterOrEqual(t, res.Took, limit)
		if !v.touch { // in place, the end of the stream comes as a reset
			assert.NoError(t, res.Err)
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
	c := s.Dial(t)
	c.SendHead(t, http.MethodGet)
	res, body, err := c.Receive(http.MethodGet)
	require.NoError(t, err)
	assert.Equal(t, http.StatusGatewayTimeout, res.StatusCode)
	assert.Equal(t, gatewayTimeout, body)
	assert.Equal(t, int64(len(gatewayTimeout)), res.ContentLength)
	assert.True(t, res.Close, "Connection: close")
	assert.Contains(t, <-stack, "net/http.(*conn).serve(", "the handler runs where net/http put it")
}

// A stuck handler costs no goroutine in addition to its own.
func TestStuckHandlersHTTP1CostNoGoroutine(t *testing.T) {
	const requests = 50
	var n [2]int
	for i, mw := range []func(http.Handler) http.Handler{
		func(h http.Handler) http.Handler { return h },
		timeout.New(timeout.Config{Limit: testhttp.Patience}),
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
				s.Dial(t).SendHead(t, http.MethodGet)
				<-in
			}
			settled(func() bool { return runtime.NumGoroutine()-before <= 2*requests+5 })
			n[i] = runtime.NumGoroutine() - before
		})
	}
	assert.InDelta(t, n[0], n[1], 5, "requests of %d goroutines bare, %d with a deadline", n[0], n[1])
}

// settled waits for what is only eventually true.
func settled(ok func() bool) {
	for end := time.Now().Add(time.Second); !ok() && time.Now().Before(end); {
		runtime.Gosched()
	}
}

// A pipelined request is not served after a response that announced Connection: close.
func TestStuckHandlerHTTP1ClosesConnection(t *testing.T) {
	stuck := make(chan struct{})
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { <-stuck })))
	c := s.Dial(t)
	c.SendHead(t, http.MethodGet)
	c.SendHead(t, http.MethodGet)
	_, _, err := c.Receive(http.MethodGet)
	require.NoError(t, err)
	close(stuck)
	assert.Empty(t, c.Rest())
}

// On HTTP/2 the response ends the stream while the handler is stuck, and the connection
// stays open: there is no GOAWAY, which Connection: close would have sent.
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
		req := s.Request(t, http.MethodGet, "/", http.NoBody)
		req.URL.Path = path
		res := s.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
		require.NoError(t, res.Err, "the stream ends while the handler is stuck")
		assert.Empty(t, res.Header.Get("Connection"))
		if path == "/stuck" {
			assert.Equal(t, http.StatusGatewayTimeout, res.Status)
			own, _, _ := strings.Cut(<-stack, "created by")
			assert.NotContains(t, own, "net/http.(*http2serverConn)")
			assert.Contains(t, own, "runDetached", "on a goroutine of its own")
		} else {
			assert.Equal(t, http.StatusOK, res.Status)
		}
	}
	require.Len(t, conns, 5)
	for i, c := range conns[1:] {
		assert.True(t, c.Reused, "request %d", i+2)
	}
}

// If other middleware is outside, the handler does not run on its own goroutine. At the
// deadline the client gets the complete response and then a reset of the stream. The
// connection stays open.
//
// Reported elsewhere:
//   - a race between the handler and the framework's context, https://github.com/gin-contrib/timeout/issues/34
//   - a pooled context is reused while the handler runs, https://github.com/gin-contrib/timeout/issues/67
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
		req := s.Request(t, http.MethodGet, "/", http.NoBody)
		res := s.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
		assert.Equal(t, http.StatusGatewayTimeout, res.Status)
		assert.Equal(t, gatewayTimeout, res.Body)
		assert.Empty(t, res.Header.Get("Connection"))
		assert.NotContains(t, <-stack, "runDetached")
	}
	require.Len(t, conns, 2)
	assert.True(t, conns[1].Reused)
}

// A handler that follows its context and responds late does not turn the 504 into a
// success.
//
// Reported elsewhere: headers were already written, and are lost, https://github.com/gin-contrib/timeout/issues/51
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
		res := s.Get(t, "/")
		assert.Equal(t, http.StatusGatewayTimeout, res.Status)
		assert.Equal(t, gatewayTimeout, res.Body)
		assert.ErrorIs(t, testhttp.Await(t, wrote, "the late Write"), http.ErrHandlerTimeout)
		assert.NotContains(t, s.Log.String(), "superfluous")
	})
}

// A handler that returned in time never causes a timeout, however close it was. At the
// very moment of the deadline either result is right, but never a mixture.
//
// Reported elsewhere: the wrong status, https://github.com/labstack/echo/issues/1804
func TestAtTheDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		v.bubble(t, timeout.New(timeout.Config{Limit: time.Second})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				<-time.After(time.Second)
				w.Header().Set("Content-Length", "2")
				_, _ = w.Write([]byte("ok"))
			})), func(t *testing.T, s *testhttp.Server) {
			for range 50 {
				switch res := s.Get(t, "/"); res.Status {
				case http.StatusOK:
					assert.Equal(t, "ok", res.Body)
					assert.NoError(t, res.Err)
				case http.StatusGatewayTimeout:
					assert.Equal(t, gatewayTimeout, res.Body)
				default:
					assert.Error(t, res.Err) // begun, and cut
				}
			}
		})
	})
}
