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

	"github.com/bulwark-go/bulwark/internal/peers"
	"github.com/bulwark-go/bulwark/logging"
)

// What went wrong in the libraries that do this job today, and which test of ours
// stands against it. What has no better place is below.
//
//	G33  a request is logged twice                         TestG33_ASecondMiddlewareAddsNoLine
//	G34  200 for failed requests                           TestG34_AFailedRequestIsNo200
//	G35  503 for the client, 200 in the log                TestG35_ADeadlineOnEitherSide
//	G36  a WebSocket is logged as 200                      TestG36_AnUpgradeIs101AndAccountedToItsEnd TestG36_AnUpgradeByHand
//	G37  a logger breaks Hijack                            TestG37_AHijack
//	G38  push is lost                                      TestG38_G40_G42_OptionalInterfaces
//	G39  a 1xx is taken for final                          TestG39_AnInformationalResponse
//	G40  no FlushError, no Unwrap                          TestG38_G40_G42_OptionalInterfaces
//	G41  sendfile is lost                                  TestG41_AFile
//	G42  Flush panics                                      TestG38_G40_G42_OptionalInterfaces
//	G43  bodies are kept in memory                         TestG43_AnUploadIsNotKept
//	G44  adding attributes races                           TestG44_AddFromManyGoroutines
//	G45  the order with a recovery                         TestG45_OnEitherSideOfARecovery
//	G46  the request on every line of the handler          TestG46_AddedAttributesStandOnce
//	G47  a stack as many lines                             TestG47_AStackIsOneAttributeOfOneLine
//	G48  aborts are invisible, or 200                      TestG48_G49_AClientThatLeaves TestG48_AClientThatLeavesInTheMiddle
//	G49  status 0 or 500 for a client that left            TestG48_G49_AClientThatLeaves
//	G50  odd requests have no line                         TestG50_OddRequests
//	G51  secrets of headers                                TestG51_G52_G53_G60_SecretsStayOut
//	G52  tokens of the query                               TestG51_G52_G53_G60_SecretsStayOut
//	G53  a recovery dumps cookies                          TestG51_G52_G53_G60_SecretsStayOut
//	G54  X-Forwarded-For is believed                       TestG54_TheClientsAddress
//	G55  X-Request-Id is not checked                       TestG55_AnInboundRequestID
//	G56  health checks are noise, failures are not         TestG56_FailuresAreAlwaysKept
//	G57  control characters                                TestG57_ValuesAreCleanAndCapped
//	G58  outbound: the end of the body, a forgotten Close  TestG58_ACallEndsWithItsBody TestG58_AForgottenCloseIsNotLost
//	G59  ErrAbortHandler hides the error                   TestG59_TheWriteErrorBehindErrAbortHandler
//	G60  deny-lists leak                                   TestG51_G52_G53_G60_SecretsStayOut
func TestPeersTable(t *testing.T) { peers.Check(t, "G", 33, 60) }

// G34: a logger that asks the framework and not the wire says 200.
func TestG34_AFailedRequestIsNo200(t *testing.T) {
	s := start(t, false, func(w http.ResponseWriter, _ *http.Request) {
		func(w http.ResponseWriter) { http.Error(w, "internal", 500) }(struct{ http.ResponseWriter }{w})
	})
	_, err := s.get(t, "/")
	require.NoError(t, err)
	require.EqualValues(t, 500, s.lines.next(t)["http.response.status_code"])
}

// G37: hijacking works, and so does the line of a connection answered by hand.
func TestG37_AHijack(t *testing.T) {
	s := start(t, false, func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
			_ = rw.Flush()
			_ = c.Close()
		}
	})
	_, br := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode)
	m := s.lines.next(t)
	require.Equal(t, "upgraded", m["outcome"])
	require.NotContains(t, m, "http.response.status_code", "nobody knows what the handler wrote")
}

// G36: gorilla/websocket and httputil.ReverseProxy write the 101 themselves.
func TestG36_AnUpgradeByHand(t *testing.T) {
	const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	s := start(t, false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Mine", "never sent")
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(c, switching)
			_ = c.Close()
		}
	}, func(_ *httptest.Server, c *logging.Config) { c.ResponseHeaders = []string{"X-Mine"} })
	_, br := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, 101, res.StatusCode)
	m := s.lines.next(t)
	require.Equal(t, "upgraded", m["outcome"])
	require.EqualValues(t, 101, m["http.response.status_code"])
	require.EqualValues(t, len(switching), m["http.response.body.size"])
	require.NotContains(t, m, "http.response.header.x-mine")
}

// G38, G40, G42: what the server's writer can do the handler's can, and no more.
func TestG38_G40_G42_OptionalInterfaces(t *testing.T) {
	bothProtocols(t, func(t *testing.T, h2 bool) {
		s := start(t, h2, func(w http.ResponseWriter, _ *http.Request) {
			_, flusher := w.(http.Flusher)
			_, hijacker := w.(http.Hijacker)
			_, pusher := w.(http.Pusher)
			_, readerFrom := w.(io.ReaderFrom)
			_, unwrap := w.(interface{ Unwrap() http.ResponseWriter })
			logResult := []bool{flusher, hijacker, pusher, readerFrom, unwrap}
			if fmt.Sprint(logResult) != fmt.Sprint([]bool{true, !h2, h2, !h2, true}) {
				w.WriteHeader(500)
			}
		})
		res, err := s.get(t, "/")
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode)
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

// G39: a 1xx is not the end.
func TestG39_AnInformationalResponse(t *testing.T) {
	bothProtocols(t, func(t *testing.T, h2 bool) {
		s := start(t, h2, func(w http.ResponseWriter, _ *http.Request) {
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

// G41: a file still goes by ReadFrom, and its bytes are counted.
func TestG41_AFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, make([]byte, 1<<20), 0o600))
	s := start(t, false, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })
	_, err := s.get(t, "/")
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, s.lines.next(t)["http.response.body.size"])
}

// G43: bodies pass through, none is kept.
func TestG43_AnUploadIsNotKept(t *testing.T) {
	const size = 64 << 20
	var before, after runtime.MemStats
	s := start(t, false, func(_ http.ResponseWriter, r *http.Request) {
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

// G45: inside somebody's recovery the line says that nothing was sent by the
// handler, and why; outside it has the 500.
func TestG45_OnEitherSideOfARecovery(t *testing.T) {
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

// G50: what net/http refuses before any handler (a malformed request line, a
// head too large, 505) reaches no middleware and cannot be logged by one. All
// that does reach it is logged, the odd methods and targets too.
func TestG50_OddRequests(t *testing.T) {
	s := start(t, false, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server, _ *logging.Config) {
		s.Config.DisableGeneralOptionsHandler = true // it answers OPTIONS * before any handler
	})
	for request, path := range map[string]any{
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n":             "*",
		"GET http://other/abs HTTP/1.1\r\nHost: x\r\n\r\n":  "/abs",
		"CONNECT a.example:443 HTTP/1.1\r\nHost: x\r\n\r\n": "",
		"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n":             "/pot",
	} {
		c, br := s.raw(t, request)
		_, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		_ = c.Close()
		require.Equal(t, path, s.lines.next(t)["url.path"], request)
	}
}
