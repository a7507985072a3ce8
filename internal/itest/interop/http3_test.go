package interop_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// serve3 serves h behind the stack over QUIC on a real socket.
func (st stack) serve3(t *testing.T, h http.Handler) *server {
	t.Helper()
	s := &server{lines: make(lines, 100), errors: new(testhttp.Lines)}
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Certificate())

	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http3.Server{Handler: st.around(h, s.lines.logger()), TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: certificate.TLS.Certificates, MinVersion: tls.VersionTLS13})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(conn) }()
	tr := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, QUICConfig: &quic.Config{}}
	t.Cleanup(func() {
		_ = tr.Close()
		_ = srv.Close()
		await(t, served)
		_ = conn.Close()
	})
	s.url, s.client = "https://"+conn.LocalAddr().String(), &http.Client{Transport: tr, Timeout: watchdog}
	return s
}

// TestHTTP3 runs the table of endings over QUIC. An aborted response is reset there, and
// a reset may overtake what was sent before it.
func TestHTTP3(t *testing.T) {
	release := make(chan struct{})
	st := stack{errs: mapper(), body: 1 << 10}
	s := st.serve3(t, st.endings(release))
	for _, e := range endings {
		t.Run(e.desc, func(t *testing.T) {
			res := upTo(s, e.request(t, s))
			l := s.logged(t, e.status, e.outcome)
			assert.Equal(t, "3", l.Proto)
			if e.broken {
				require.Error(t, res.err)
				assert.True(t, strings.HasPrefix(half, res.body))
				return
			}
			require.NoError(t, res.err)
			assert.Equal(t, "HTTP/3.0", res.proto)
			e.check(t, res)
		})
	}
	close(release)
}

// upTo reads the body up to its declared length, or to its end if none is declared. The
// answer at a deadline is complete then, but on HTTP/3 its stream ends when the handler
// returns.
func upTo(s *server, req *http.Request) got {
	res, err := s.client.Do(req)
	if err != nil {
		return got{err: err}
	}
	defer res.Body.Close()
	body := make([]byte, max(res.ContentLength, 0))
	if res.ContentLength < 0 {
		body, err = io.ReadAll(res.Body)
	} else {
		_, err = io.ReadFull(res.Body, body)
	}
	return got{res.StatusCode, res.Proto, res.Header, string(body), err}
}

// TestHTTP3Stream: flushed data reaches the client in time. A disconnect is noticed when
// a write fails.
func TestHTTP3Stream(t *testing.T) {
	goOn := make(chan struct{})
	st := stack{timeout: timeout.Config{Limit: ample, Stream: ample}}
	s := st.serve3(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		flush(w, half)
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
		flush(w, half)
	}))
	begin := func(ctx context.Context) io.ReadCloser {
		res, err := s.client.Do(s.request(t, http.MethodGet, "/", nil).WithContext(ctx))
		require.NoError(t, err)
		first := make([]byte, len(half))
		_, err = io.ReadFull(res.Body, first)
		require.NoError(t, err)
		assert.Equal(t, half, string(first))
		return res.Body
	}
	ctx, leave := context.WithCancel(t.Context())
	body := begin(ctx)
	leave()
	s.logged(t, 200, logging.OutcomeClientGone)
	_ = body.Close()

	body = begin(t.Context())
	close(goOn)
	rest, err := io.ReadAll(body)
	require.NoError(t, err)
	assert.Equal(t, half, string(rest))
	require.NoError(t, body.Close())
	s.logged(t, 200, logging.OutcomeOK)
}

// TestHTTP3Streamer: the interface of quic-go's writer that WebTransport needs is not an
// interface of net/http, so our writer does not have it. It is found by Unwrap.
func TestHTTP3Streamer(t *testing.T) {
	s := stack{}.serve3(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, direct := w.(http3.HTTPStreamer)
		assert.False(t, direct)
		for {
			u, ok := w.(interface{ Unwrap() http.ResponseWriter })
			if !ok {
				break
			}
			w = u.Unwrap()
		}
		_, unwrapped := w.(http3.HTTPStreamer)
		assert.True(t, unwrapped)
	}))
	s.get(t, "/").whole(t)
	s.logged(t, 200, logging.OutcomeOK)
}
