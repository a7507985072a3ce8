package logging_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
)

// A logger that asks the framework instead of observing the wire logs 200.
//
// Reported elsewhere: 200 in the log for failed requests, https://github.com/labstack/echo/issues/2015
func TestFailedRequestIsNotLoggedAs200(t *testing.T) {
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) {
		func(w http.ResponseWriter) { http.Error(w, "internal", 500) }(struct{ http.ResponseWriter }{w})
	})
	err := s.Get(t, "/").Err
	require.NoError(t, err)
	require.EqualValues(t, 500, s.lines.next(t)["http.response.status_code"])
}

// Hijacking works, and a connection that is answered by hand is logged.
//
// Reported elsewhere: a logger breaks Hijack, https://github.com/gorilla/handlers/issues/9
func TestHijackWorksAndIsLogged(t *testing.T) {
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
			_ = rw.Flush()
			_ = c.Close()
		}
	})
	c := s.Dial(t)
	c.Send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(c.In, nil)
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode)
	m := s.lines.next(t)
	require.Equal(t, "upgraded", m["outcome"])
	require.NotContains(t, m, "http.response.status_code", "what the handler wrote is unknown")
}

// The packages gorilla/websocket and httputil.ReverseProxy write the 101 themselves.
//
// Reported elsewhere: a WebSocket is logged as 200, https://github.com/gorilla/handlers/issues/224
func TestUpgradeByHandIsLoggedAs101(t *testing.T) {
	const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Mine", "never sent")
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(c, switching)
			_ = c.Close()
		}
	}, func(_ *httptest.Server, c *logging.Config) {
		c.ResponseHeaders, c.CountUpgraded = []string{"X-Mine"}, true
	})
	c := s.Dial(t)
	c.Send(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	res, err := http.ReadResponse(c.In, nil)
	require.NoError(t, err)
	require.Equal(t, 101, res.StatusCode)
	m := s.lines.next(t)
	require.Equal(t, "upgraded", m["outcome"])
	require.EqualValues(t, 101, m["http.response.status_code"])
	require.EqualValues(t, len(switching), m["http.response.body.size"])
	require.NotContains(t, m, "http.response.header.x-mine")
}

// The handler's writer can do what the server's writer can do, and no more.
//
// Reported elsewhere:
//   - push is lost, https://github.com/rs/zerolog/issues/417
//   - no FlushError, no Unwrap, https://github.com/tailscale/tailscale/issues/21412
//   - Flush panics, https://github.com/labstack/echo/issues/2016
func TestOptionalInterfacesAreKept(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		s := start(t, p, func(w http.ResponseWriter, _ *http.Request) {
			_, flusher := w.(http.Flusher)
			_, hijacker := w.(http.Hijacker)
			_, pusher := w.(http.Pusher)
			_, readerFrom := w.(io.ReaderFrom)
			_, unwrap := w.(interface{ Unwrap() http.ResponseWriter })
			logResult := []bool{flusher, hijacker, pusher, readerFrom, unwrap}
			if fmt.Sprint(logResult) != fmt.Sprint([]bool{true, p == testhttp.HTTP1, p == testhttp.HTTP2, p == testhttp.HTTP1, true}) {
				w.WriteHeader(500)
			}
		})
		got := s.Get(t, "/")
		require.NoError(t, got.Err)
		require.Equal(t, 200, got.Status)
		s.lines.next(t)
	})
	serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, _ *http.Request) {
		_, isHijacker := w.(http.Hijacker)
		assert.False(t, isHijacker, "a recorder is none")
	})
	l := newLines()
	logging.New(logging.Config{Logger: l.logger()})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, isFlusher := w.(http.Flusher)
		assert.False(t, isFlusher)
		assert.ErrorIs(t, http.NewResponseController(w).Flush(), http.ErrNotSupported)
	})).ServeHTTP(struct{ http.ResponseWriter }{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, "ok", l.next(t)["outcome"])
}

// A 1xx does not end the response.
//
// Reported elsewhere: a 1xx is taken for final, https://github.com/felixge/httpsnoop/issues/23
func TestInformationalResponseIsNotFinal(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		s := start(t, p, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</x.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(201)
		})
		hints := 0
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil }})
		r, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
		res, err := s.Client().Do(r)
		require.NoError(t, err)
		_ = res.Body.Close()
		require.Equal(t, 1, hints)
		require.EqualValues(t, 201, s.lines.next(t)["http.response.status_code"])
	})
}

// A file is still sent by ReadFrom, and its bytes are counted.
//
// Reported elsewhere: sendfile is lost, https://github.com/open-telemetry/opentelemetry-go-compile-instrumentation/issues/1085
func TestFileIsCountedByReadFrom(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, make([]byte, 1<<20), 0o600))
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })
	err := s.Get(t, "/").Err
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, s.lines.next(t)["http.response.body.size"])
}

// Bodies are passed on and not kept.
//
// Reported elsewhere: uploads are kept in memory, https://github.com/go-chi/httplog/issues/62
func TestUploadIsNotKept(t *testing.T) {
	const size = 64 << 20
	var before, after runtime.MemStats
	s := start(t, testhttp.HTTP1, func(_ http.ResponseWriter, r *http.Request) {
		runtime.ReadMemStats(&before)
		n, _ := io.Copy(io.Discard, r.Body)
		runtime.ReadMemStats(&after)
		if n != size {
			t.Error(n)
		}
	})
	res, err := s.Client().Post(s.URL, "x/y", io.LimitReader(zeros{}, size))
	require.NoError(t, err)
	_ = res.Body.Close()
	require.EqualValues(t, size, s.lines.next(t)["http.request.body.size"])
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Inside a recovery the log record says that the handler sent nothing, and why. Outside
// it has the 500.
//
// Reported elsewhere: which side of a recovery is right, https://github.com/go-chi/httplog/issues/44
func TestInsideAndOutsideARecovery(t *testing.T) {
	recovery := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					w.WriteHeader(500)
				}
			}()
			next.ServeHTTP(w, r)
		})
	}
	boom := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })
	l := newLines()
	log := logging.New(logging.Config{Logger: l.logger()})
	recovery(log(boom)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	m := l.next(t)
	require.Equal(t, "panic", m["outcome"])
	require.NotContains(t, m, "http.response.status_code")
	log(recovery(boom)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	m = l.next(t)
	require.Equal(t, "error", m["outcome"])
	require.EqualValues(t, 500, m["http.response.status_code"])
}

// A request that net/http refuses (a malformed request line, a head that is too large,
// 505) reaches no middleware and cannot be logged by one. All other requests are
// logged, also those with odd methods and targets.
//
// Reported elsewhere: odd requests are not logged, https://github.com/fastify/fastify/issues/5398
func TestOddRequestsAreLogged(t *testing.T) {
	s := start(t, testhttp.HTTP1, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server, _ *logging.Config) {
		s.Config.DisableGeneralOptionsHandler = true // it answers OPTIONS * before any handler
	})
	for request, path := range map[string]any{
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n":             "*",
		"GET http://other/abs HTTP/1.1\r\nHost: x\r\n\r\n":  "/abs",
		"CONNECT a.example:443 HTTP/1.1\r\nHost: x\r\n\r\n": "",
		"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n":             "/pot",
	} {
		c := s.Dial(t)
		c.Send(t, request)
		_, err := http.ReadResponse(c.In, nil)
		require.NoError(t, err)
		_ = c.Close()
		require.Equal(t, path, s.lines.next(t)["url.path"], request)
	}
}
