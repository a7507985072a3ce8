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

// early is a connection whose first bytes the server may have read: the 101 was
// on the wire before the hijack.
type early struct {
	io.WriteCloser
	in io.Reader
}

func (e early) Read(p []byte) (int, error) { return e.in.Read(p) }

// A hijack and a 101 lift the deadline: the connection and the context live on.
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
					_, err := timeout.Extend(r.Context(), time.Second)
					assert.Error(t, err, "no deadline is running")
				})))
			assertEcho(t, s, release)
		})
	}
}

// assertEcho speaks with an upgraded connection beyond the limit.
func assertEcho(t *testing.T, s *server, release chan<- struct{}) {
	t.Helper()
	c := s.dial(t)
	c.get(t, http.MethodGet, "Connection: Upgrade", "Upgrade: echo")
	res, err := http.ReadResponse(c.in, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	for _, word := range []string{"ping", "pong"} {
		_, err := io.WriteString(c, word)
		require.NoError(t, err)
		echo := make([]byte, 4)
		_, err = io.ReadFull(c.in, echo)
		require.NoError(t, err)
		assert.Equal(t, word, string(echo))
		if word == "ping" {
			<-time.After(2 * limit)
			close(release)
		}
	}
	assert.Empty(t, c.rest(t), "nothing of ours on the connection")
}

// A reverse proxy that passes an upgrade on, with a limit on both sides.
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
	target, err := url.Parse(backend.url)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	proxy.Transport = timeout.NewTransport(timeout.TransportConfig{Limit: limit})
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(proxy))
	assertEcho(t, s, release)
}

// A 101 without a hijack lifts it as well: 1xx are not final, but this one is.
func TestSwitchingProtocolsLiftsTheDeadline(t *testing.T) {
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			<-time.After(2 * limit)
			assert.NoError(t, r.Context().Err())
		})))
	c := s.dial(t)
	c.get(t, http.MethodGet)
	res, _, err := c.response(t, http.MethodGet)
	require.NoError(t, err)
	assert.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
}

// Other 1xx lift nothing, commit nothing, and leave nothing in the 504.
func TestInformationalDoesNotLiftTheDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		v.bubble(t, ten(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
			<-r.Context().Done()
		})), func(t *testing.T, s *server) {
			res := s.get(t)
			assert.Equal(t, http.StatusGatewayTimeout, res.status)
			assert.Empty(t, res.header.Get("Link"))
			assert.Equal(t, gatewayTimeout, res.body)
		})
	})
}

// HTTP/2 has nothing to hijack, and a failed attempt lifts nothing.
func TestFailedHijackDoesNotLiftTheDeadline(t *testing.T) {
	for _, v := range variants[1:] {
		t.Run(v.desc, func(t *testing.T) {
			v.bubble(t, ten(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, ok := w.(http.Hijacker)
				assert.False(t, ok)
				_, _, err := http.NewResponseController(w).Hijack()
				assert.ErrorIs(t, err, http.ErrNotSupported)
				<-r.Context().Done()
			})), func(t *testing.T, s *server) {
				assert.Equal(t, http.StatusGatewayTimeout, s.get(t).status)
			})
		})
	}
}

// After the deadline the connection cannot be had any more.
func TestHijackAfterTheDeadline(t *testing.T) {
	hijacked := make(chan error, 1)
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			_, _, err := http.NewResponseController(w).Hijack()
			hijacked <- err
		})))
	assert.Equal(t, http.StatusGatewayTimeout, s.get(t).status)
	assert.ErrorIs(t, receive(t, hijacked, "the late Hijack"), http.ErrHandlerTimeout)
}

// No header of a client's switches the deadline off, or makes it later.
func TestNoHeaderLiftsTheDeadline(t *testing.T) {
	everyone := func(*http.Request) bool { return true }
	for _, cfg := range []struct {
		desc string
		timeout.Config
	}{
		{"nobody trusted", timeout.Config{Limit: 10 * time.Second}},
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
					v.bubble(t, timeout.New(cfg.Config)(untilDone), func(t *testing.T, s *server) {
						req := s.request(t, http.MethodGet, http.NoBody, header)
						if v.major == 2 { // the client would refuse to send them
							req.Header.Del("Connection")
							req.Header.Del("Upgrade")
						}
						res := s.do(t, req)
						assert.Equal(t, http.StatusGatewayTimeout, res.status)
						assert.Equal(t, 10*time.Second, res.took)
					})
				})
			}
		})
	}
}
