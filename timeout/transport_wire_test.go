package timeout_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// A server on a real socket stalls in its headers or in its body.
//
// Reported elsewhere: a client's timeout stops at the headers, https://github.com/golang/go/issues/12852
func TestTransportOnTheWire(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range []struct {
			desc string
			part string
		}{{"stalled headers", ""}, {"stalled body", "part"}} {
			t.Run(tc.desc, func(t *testing.T) {
				gone := make(chan struct{}, 1)
				s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Warm-Up") != "" {
						return
					}
					if tc.part != "" {
						_, _ = io.WriteString(w, tc.part)
						flush(w)
					}
					<-r.Context().Done()
					gone <- struct{}{}
				}))
				warm, err := s.Client().Do(s.Request(t, http.MethodGet, "/", http.NoBody, "Warm-Up: 1")) // a handshake may take longer than the limit
				require.NoError(t, err)
				require.NoError(t, warm.Body.Close())
				client := http.Client{Transport: timeout.NewTransport(timeout.TransportConfig{
					Base: s.Client().Transport, Limit: 400 * time.Millisecond, // to reach the server on a busy machine
				})}
				res, err := client.Do(s.Request(t, http.MethodGet, "/", http.NoBody))
				if tc.part != "" {
					require.NoError(t, err)
					var b []byte
					b, err = io.ReadAll(res.Body)
					assert.Equal(t, tc.part, string(b))
					_ = res.Body.Close()
				}
				var e *timeout.Error
				require.ErrorAs(t, err, &e)
				testhttp.Await(t, gone, "the server's notice")
			})
		}
	})
}

// A body that is a Writer (101, CONNECT) stays one, and has no limit.
func TestTransportSwitchedProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ctx context.Context
		type conn struct {
			io.ReadCloser
			io.Writer
		}
		b := &base{do: func(r *http.Request) (*http.Response, error) {
			ctx = r.Context()
			return &http.Response{
				StatusCode: http.StatusSwitchingProtocols,
				Body:       conn{io.NopCloser(strings.NewReader("")), io.Discard},
			}, nil
		}}
		res, err := roundTrip(t.Context(), t, timeout.TransportConfig{Base: b, Limit: time.Second})
		require.NoError(t, err)
		_, ok := res.Body.(io.Writer)
		assert.True(t, ok)
		<-time.After(time.Minute)
		assert.NoError(t, ctx.Err())
		require.NoError(t, res.Body.Close())
	})
}

// The middleware understands the header that the transport sends, in every dialect.
//
// Reported elsewhere: the caller's deadline is ignored, https://github.com/envoyproxy/envoy/issues/7358
func TestTransportAndMiddlewareAgree(t *testing.T) {
	for _, header := range []string{"", "grpc-timeout", "X-Envoy-Expected-Rq-Timeout-Ms"} {
		for _, v := range variants {
			v.bubble(t, timeout.New(timeout.Config{Limit: time.Minute, TrustCaller: everyone})(http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					left, _ := timeout.Remaining(r.Context())
					assert.Equal(t, 4*time.Second, left)
					untilDone(w, r)
				})), func(t *testing.T, s *testhttp.Server) {
				s.Client().Transport = timeout.NewTransport(timeout.TransportConfig{
					Base: s.Client().Transport, Limit: 5 * time.Second, Reserve: time.Second, Header: header,
				})
				g := s.Get(t, "/")
				assert.Equal(t, http.StatusGatewayTimeout, g.Status, "the server answered in time, and the transport did not time out")
				assert.Equal(t, 4*time.Second, g.Took)
			})
		}
	}
}
