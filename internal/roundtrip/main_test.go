package roundtrip_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// transport is one of the three transports, or all of them in order.
type transport struct {
	desc string
	wrap func(base http.RoundTripper) http.RoundTripper
}

func logged(base http.RoundTripper) http.RoundTripper {
	return logging.NewTransport(logging.TransportConfig{Base: base, Logger: slog.New(slog.DiscardHandler)})
}

func timed(base http.RoundTripper) http.RoundTripper {
	return timeout.NewTransport(timeout.TransportConfig{Base: base, Limit: time.Minute})
}

func limited(base http.RoundTripper) http.RoundTripper {
	return limits.NewTransport(limits.TransportConfig{Base: base, MaxResponseBytes: 1 << 16})
}

var transports = []transport{
	{"timeout", timed},
	{"limits", limited},
	{"logging", logged},
	{"all", func(base http.RoundTripper) http.RoundTripper { return logged(timed(limited(base))) }},
}

// bare is the transport with which the others are compared.
var bare = transport{"bare", func(base http.RoundTripper) http.RoundTripper { return base }}

// each runs f with each of the transports.
func each(t *testing.T, f func(t *testing.T, tr transport)) {
	t.Helper()
	for _, tr := range transports {
		t.Run(tr.desc, func(t *testing.T) { f(t, tr) })
	}
}

// wire runs f with each of the transports in front of a server for h, over real
// sockets.
func wire(t *testing.T, h http.HandlerFunc, f func(t *testing.T, p testhttp.Protocol, url string, rt http.RoundTripper)) {
	t.Helper()
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		each(t, func(t *testing.T, tr transport) {
			s := p.StartUnencrypted(t, h)
			f(t, p, s.URL, tr.wrap(s.Transport()))
		})
	})
}

func newRequest(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	return req
}

// get sends a request through rt, without an http.Client, and reads the body.
func get(t *testing.T, rt http.RoundTripper, req *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := rt.RoundTrip(req)
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res, string(b)
}

// stub is a RoundTripper made of a function.
type stub func(*http.Request) (*http.Response, error)

func (f stub) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// countingDialer counts the writes on its connections.
type countingDialer struct{ writes chan int }

func (d countingDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	return countingConn{c, d.writes}, err
}

type countingConn struct {
	net.Conn
	writes chan int
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes <- len(p)
	return c.Conn.Write(p)
}

// withLocalAddr stores the address from which a request is sent.
func withLocalAddr(ctx context.Context, to *string) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { *to = i.Conn.LocalAddr().String() },
	})
}
