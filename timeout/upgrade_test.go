package timeout_test

import (
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// hijackers are the ways in which a handler takes its connection over.
var hijackers = []struct {
	desc    string
	upgrade func(*testing.T, http.ResponseWriter) io.ReadWriteCloser
}{
	{"Hijacker", func(t *testing.T, w http.ResponseWriter) io.ReadWriteCloser {
		conn, _, err := w.(http.Hijacker).Hijack()
		require.NoError(t, err)
		_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		require.NoError(t, err)
		return conn
	}},
	{"ResponseController", func(t *testing.T, w http.ResponseWriter) io.ReadWriteCloser {
		conn, rw, err := http.NewResponseController(w).Hijack()
		require.NoError(t, err)
		_, err = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		require.NoError(t, err)
		require.NoError(t, rw.Flush())
		return conn
	}},
	{"101, then Hijacker", func(t *testing.T, w http.ResponseWriter) io.ReadWriteCloser {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		require.NoError(t, err)
		require.NoError(t, rw.Flush())
		return early{conn, rw.Reader}
	}},
}

// early is a connection whose first bytes the server may have read, because the 101 was
// sent before the hijack.
type early struct {
	io.WriteCloser
	in io.Reader
}

func (e early) Read(p []byte) (int, error) { return e.in.Read(p) }

// A hijack and a 101 lift the deadline, and the connection and the context live on.
func TestUpgradeLiftsTheDeadline(t *testing.T) {
	for _, tc := range hijackers {
		t.Run(tc.desc, func(t *testing.T) {
			release := make(chan struct{})
			s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					conn := tc.upgrade(t, w)
					defer conn.Close()
					_, _ = io.CopyN(conn, conn, 4)
					<-release
					_, _ = io.CopyN(conn, conn, 4)
					assert.NoError(t, r.Context().Err())
					_, err := timeout.Reset(r.Context(), time.Second)
					assert.Error(t, err, "no deadline is running")
				})))
			assertEcho(t, s, release)
		})
	}
}

// assertEcho uses an upgraded connection for longer than the limit.
func assertEcho(t *testing.T, s *testhttp.Server, release chan<- struct{}) {
	t.Helper()
	c := s.Dial(t)
	c.SendHead(t, http.MethodGet, "Connection: Upgrade", "Upgrade: echo")
	res, err := http.ReadResponse(c.In, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	for _, word := range []string{"ping", "pong"} {
		_, err := io.WriteString(c, word)
		require.NoError(t, err)
		echo := make([]byte, 4)
		_, err = io.ReadFull(c.In, echo)
		require.NoError(t, err)
		assert.Equal(t, word, string(echo))
		if word == "ping" {
			<-time.After(2 * limit)
			close(release)
		}
	}
	assert.Empty(t, c.Rest(), "nothing of ours on the connection")
}

// A reverse proxy passes an upgrade on, with a limit on both sides.
func TestUpgradeThroughReverseProxy(t *testing.T) {
	release := make(chan struct{})
	backend := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			conn := hijackers[0].upgrade(t, w)
			defer conn.Close()
			_, _ = io.CopyN(conn, conn, 4)
			<-release
			_, _ = io.CopyN(conn, conn, 4)
		})))
	target, err := url.Parse(backend.URL)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	proxy.Transport = timeout.NewTransport(timeout.TransportConfig{Limit: limit})
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(proxy))
	assertEcho(t, s, release)
}

// A 101 without a hijack lifts the deadline as well, unlike other 1xx.
//
// Reported elsewhere: a 1xx is not final, a 101 is, https://github.com/go-pkgz/rest/issues/45
func TestSwitchingProtocolsLiftsTheDeadline(t *testing.T) {
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			<-time.After(2 * limit)
			assert.NoError(t, r.Context().Err())
		})))
	c := s.Dial(t)
	c.SendHead(t, http.MethodGet)
	res, _, err := c.Receive(http.MethodGet)
	require.NoError(t, err)
	assert.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
}

// Other 1xx responses do not lift the deadline, do not commit the response, and do not
// change the 504.
//
// Reported elsewhere: a 1xx is not final, a 101 is, https://github.com/go-pkgz/rest/issues/45
func TestInformationalDoesNotLiftTheDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		v.bubble(t, ten(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
			<-r.Context().Done()
		})), func(t *testing.T, s *testhttp.Server) {
			res := s.Get(t, "/")
			assert.Equal(t, http.StatusGatewayTimeout, res.Status)
			assert.Empty(t, res.Header.Get("Link"))
			assert.Equal(t, gatewayTimeout, res.Body)
		})
	})
}

// HTTP/2 connections cannot be hijacked, and a failed attempt does not lift the
// deadline.
func TestFailedHijackDoesNotLiftTheDeadline(t *testing.T) {
	for _, v := range variants[1:] {
		t.Run(v.desc, func(t *testing.T) {
			v.bubble(t, ten(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, ok := w.(http.Hijacker)
				assert.False(t, ok)
				_, _, err := http.NewResponseController(w).Hijack()
				assert.ErrorIs(t, err, http.ErrNotSupported)
				<-r.Context().Done()
			})), func(t *testing.T, s *testhttp.Server) {
				assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
			})
		})
	}
}

// After the deadline the connection cannot be hijacked.
func TestHijackAfterTheDeadline(t *testing.T) {
	hijacked := make(chan error, 1)
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			_, _, err := http.NewResponseController(w).Hijack()
			hijacked <- err
		})))
	assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
	assert.ErrorIs(t, testhttp.Await(t, hijacked, "the late Hijack"), http.ErrHandlerTimeout)
}

// No header of a client lifts the deadline or moves it.
//
// Reported elsewhere: a client's header switches the deadline off, https://github.com/stormkit-io/stormkit-io/issues/138
func TestClientCannotLiftTheDeadline(t *testing.T) {
	everyone := func(*http.Request) bool { return true }
	for _, cfg := range []struct {
		desc string
		timeout.Config
	}{
		{"no trusted caller", timeout.Config{Limit: 10 * time.Second}},
		{"everybody trusted", timeout.Config{Limit: 10 * time.Second, TrustCaller: everyone}},
	} {
		everywhere(t, func(t *testing.T, v variant) {
			for _, header := range []string{
				"Accept: text/event-stream",
				"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x",
				"X-Request-Timeout-Ms: 3600000", "X-Envoy-Expected-Rq-Timeout-Ms: 3600000", "Grpc-Timeout: 1H",
				"X-Request-Timeout-Ms: 9223372036854775807", "Grpc-Timeout: 99999999H",
				"Timeout: Infinite", "Prefer: wait=3600", "Range: bytes=0-", "TE: trailers", "Content-Type: application/grpc",
			} {
				t.Run(cfg.desc+", "+header, func(t *testing.T) {
					v.bubble(t, timeout.New(cfg.Config)(untilDone), func(t *testing.T, s *testhttp.Server) {
						req := s.Request(t, http.MethodGet, "/", http.NoBody, header)
						if v.p == testhttp.HTTP2 { // the client would refuse to send them
							req.Header.Del("Connection")
							req.Header.Del("Upgrade")
						}
						res := s.Do(req)
						assert.Equal(t, http.StatusGatewayTimeout, res.Status)
						assert.Equal(t, 10*time.Second, res.Took)
					})
				})
			}
		})
	}
}
