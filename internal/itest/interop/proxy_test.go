package interop_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// proxyErrors is a rule for the errors of a proxy: an upstream that cannot be reached is
// a bad gateway and not an internal error.
var proxyErrors = mapper(errmap.As(func(*net.OpError) errmap.Problem {
	return errmap.Problem{Status: http.StatusBadGateway}
}))

// proxied is a server whose handler is an httputil.ReverseProxy to h.
func proxied(t *testing.T, p protocol, st stack, h http.HandlerFunc) *server {
	t.Helper()
	return st.serve(t, p, proxyTo(t, upstream(t, h).URL))
}

func proxyTo(t *testing.T, to string) *httputil.ReverseProxy {
	t.Helper()
	target, err := url.Parse(to)
	require.NoError(t, err)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:    tr,
		ErrorHandler: proxyErrors.Write,
		ErrorLog:     new(testhttp.Lines).Logger(), // it repeats what the log records say
	}
}

// TestProxyStreams: data that the upstream flushes reaches the client while the upstream
// is still running.
func TestProxyStreams(t *testing.T) {
	each(t, protocols, func(t *testing.T, p protocol) {
		goOn := make(chan struct{})
		s := proxied(t, p, stack{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream") // the proxy flushes it at once
			w.Header().Set("Trailer", "Sum")
			_, _ = io.WriteString(w, "data: 1\n")
			_ = http.NewResponseController(w).Flush()
			<-goOn
			_, _ = io.WriteString(w, "data: 2\n")
			w.Header().Set("Sum", "3")
		})
		res, err := s.client.Do(s.request(t, http.MethodGet, "/events", nil))
		require.NoError(t, err)
		defer res.Body.Close()
		r := bufio.NewReader(res.Body)
		first, err := r.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, "data: 1\n", first)
		s.quiet(t)
		close(goOn)
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, "data: 2\n", string(rest))
		assert.Equal(t, "3", res.Trailer.Get("Sum"))

		l := s.logged(t, 200, logging.OutcomeOK)
		assert.Equal(t, p.version(), l.Proto)
		assert.EqualValues(t, 16, l.Out)
		assert.Less(t, l.TTFB, l.Seconds)
	})
}

// TestProxyEarlyHints: the proxy passes a 103 on from a goroutine of the transport.
func TestProxyEarlyHints(t *testing.T) {
	each(t, protocols, func(t *testing.T, p protocol) {
		s := proxied(t, p, stack{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "page")
		})
		var hints []string
		req := s.request(t, http.MethodGet, "/", nil)
		res := s.do(req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, h["Link"]))
				return nil
			},
		}))).whole(t)
		assert.Equal(t, []string{"103 [</a.css>; rel=preload]"}, hints)
		assert.Equal(t, 200, res.status)
		assert.Equal(t, "page", res.body)
		s.logged(t, 200, logging.OutcomeOK)
	})
}

// TestProxyUpgrade: the proxy hijacks the connection, which lifts the deadline.
func TestProxyUpgrade(t *testing.T) {
	s := proxied(t, http1, stack{timeout: timeout.Config{Limit: handshake}, counted: true}, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	require.Equal(t, 101, res.StatusCode)
	echoed := func(text string) {
		_, _ = io.WriteString(conn, text)
		back := make([]byte, len(text))
		_, err = io.ReadFull(r, back)
		require.NoError(t, err)
		assert.Equal(t, text, string(back))
	}
	echoed("early")
	pass(t, handshake)
	echoed("late")
	require.NoError(t, conn.Close())

	// The proxy writes the 101 to the hijacked connection, and it is logged all the same.
	l := s.logged(t, 101, logging.OutcomeUpgraded)
	assert.EqualValues(t, 9, l.In)
	assert.Greater(t, l.Seconds, handshake.Seconds())
}

// TestProxyUpstreamDies: a response that breaks off behind the proxy breaks off for the
// client, and never looks complete.
func TestProxyUpstreamDies(t *testing.T) {
	each(t, protocols, func(t *testing.T, p protocol) {
		s := proxied(t, p, stack{}, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half of ")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		res := s.get(t, "/")
		assert.Equal(t, 200, res.status)
		assert.Equal(t, "half of ", res.body)
		require.Error(t, res.err)

		l := s.logged(t, 200, logging.OutcomeAborted)
		assert.EqualValues(t, 8, l.Out)
		assert.Equal(t, "ERROR", l.Level)
	})
}

// TestProxyDeadline: at the deadline the client gets the answer, and the upstream's
// request is canceled.
func TestProxyDeadline(t *testing.T) {
	each(t, protocols, func(t *testing.T, p protocol) {
		for _, tc := range []struct {
			desc   string
			begins bool // the upstream begins its response
			limits timeout.Config
			status int
		}{
			{"before the response", false, timeout.Config{Limit: limit}, 504},
			{"in the middle of it", true, timeout.Config{Limit: ample, Stream: silence}, 200},
		} {
			t.Run(tc.desc, func(t *testing.T) {
				gone := make(chan struct{})
				s := proxied(t, p, stack{timeout: tc.limits}, func(w http.ResponseWriter, r *http.Request) {
					defer close(gone)
					if tc.begins {
						w.Header().Set("Content-Type", "text/event-stream")
						_, _ = io.WriteString(w, "half of ")
						_ = http.NewResponseController(w).Flush()
					}
					<-r.Context().Done()
				})
				res := s.get(t, "/")
				await(t, gone)
				assert.Equal(t, tc.status, res.status)
				if tc.begins {
					require.Error(t, res.err)
					assert.Equal(t, "half of ", res.body)
				} else {
					require.NoError(t, res.err)
					assert.JSONEq(t, `{"title":"Gateway Timeout","status":504,"code":"timeout"}`, without(t, res.body, "instance"))
				}
				l := s.logged(t, tc.status, logging.OutcomeDeadline)
				assert.Equal(t, "timeout.Error", l.ErrorType)
			})
		}
	})
}

// TestProxyErrors: ErrorHandler decides about a failed round trip. httputil's own makes
// a 502 of every error, also of the client's.
func TestProxyErrors(t *testing.T) {
	dead := upstream(t, nil)
	dead.Close()
	alive := upstream(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	for _, tc := range []struct {
		desc    string
		to      string
		bare    bool // without an ErrorHandler of errmap
		body    string
		status  int
		outcome logging.Outcome
	}{
		{desc: "connection refused", to: dead.URL, status: 502, outcome: logging.OutcomeError},
		{desc: "connection refused, httputil's ErrorHandler", to: dead.URL, bare: true, status: 502, outcome: logging.OutcomeError},
		{desc: "body too large", to: alive.URL, body: "too much", status: 413, outcome: logging.OutcomeOK},
		{desc: "body too large, httputil's ErrorHandler", to: alive.URL, bare: true, body: "too much", status: 502, outcome: logging.OutcomeError},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			proxy := proxyTo(t, tc.to)
			noted := new(testhttp.Lines)
			if tc.bare {
				proxy.ErrorHandler = nil
				proxy.ErrorLog = noted.Logger()
			}
			s := stack{body: 4}.serve(t, http1, proxy)
			res := s.post(t, "/", onlyReader(tc.body)).whole(t)
			assert.Equal(t, tc.status, res.status)
			l := s.logged(t, tc.status, tc.outcome)
			if tc.bare {
				assert.Contains(t, noted.String(), "proxy error")
			} else {
				assert.NotEmpty(t, l.Error)
			}
		})
	}
}
