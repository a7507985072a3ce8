package limits_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// noise does not compress.
func noise(n int) []byte {
	b, r := make([]byte, n), rand.NewChaCha8([32]byte{})
	_, _ = r.Read(b)
	return b
}

// Under Shadow a body that cannot be decoded reaches the handler as it was sent, with
// its Content-Encoding, and the log record says what would have been refused. Other
// bodies are decoded.
func TestShadowPassesOnWhatCannotBeDecoded(t *testing.T) {
	text := []byte(strings.Repeat("The body as it was. ", 100))
	good := encode(t, text, "gzip")
	spoiled := bytes.Clone(good)
	spoiled[len(spoiled)-6] ^= 1
	large := noise(200_000)
	for _, tc := range []struct {
		desc, coding string
		body         []byte
		want         []byte // nil: as it was sent
	}{
		{"gzip", "gzip", good, text},
		{"two codings", "deflate, gzip", encode(t, text, "deflate", "gzip"), text},
		{"large", "gzip", encode(t, large, "gzip"), large},
		{"large and small", "gzip", encode(t, make([]byte, 3<<20), "gzip"), make([]byte, 3<<20)},
		{"empty", "gzip", nil, []byte{}},
		{"not encoded at all", "gzip", text, nil},
		{"not encoded, deflate", "deflate", []byte("{}"), nil},
		{"one byte", "gzip", []byte("x"), nil},
		{"truncated", "gzip", good[:50], nil},
		{"only a header", "gzip", good[:10], nil},
		{"checksum", "gzip", spoiled, nil},
		{"trailing garbage", "gzip", append(bytes.Clone(good), "garbage and more"...), nil},
		{"trailing garbage, deflate", "deflate", append(encode(t, text, "deflate"), "g"...), nil},
		{"garbage under gzip", "gzip, gzip", encode(t, text, "gzip"), nil},
		{"garbage behind gzip", "gzip, gzip", encode(t, append(bytes.Clone(good), "g"...), "gzip"), nil},
		{"unknown", "br", text, nil},
		{"too many", strings.Repeat("gzip, ", 3) + "gzip", text, nil},
		{"large and not encoded", "gzip", large, nil},
	} {
		for _, p := range testhttp.Protocols {
			for _, chunked := range []bool{false, true} {
				t.Run(tc.desc+"/"+p.String(), func(t *testing.T) {
					records := make(chan logging.Record, 1)
					var got []byte
					var coding string
					s := p.Start(t, logging.New(logging.Config{
						Logger:   slog.New(slog.DiscardHandler),
						OnRecord: func(_ context.Context, r logging.Record) { records <- r },
					})(limits.New(limits.Config{MaxDecodedBytes: 8 << 20, MaxDecodeRatio: 1 << 20, Shadow: true})(http.HandlerFunc(
						func(_ http.ResponseWriter, r *http.Request) {
							var err error
							coding = r.Header.Get("Content-Encoding")
							got, err = io.ReadAll(r.Body)
							assert.NoError(t, err)
						}))))
					var body io.Reader = bytes.NewReader(tc.body)
					if chunked {
						body = chunks{body}
					}
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, body)
					require.NoError(t, err)
					req.Header.Set("Content-Encoding", tc.coding)
					res, err := s.Client().Do(req)
					require.NoError(t, err)
					res.Body.Close()
					assert.Equal(t, http.StatusOK, res.StatusCode)
					rec := testhttp.Await(t, records)
					assert.NoError(t, rec.Cause)
					if tc.want != nil {
						assert.Empty(t, rec.Remarks)
						assert.True(t, bytes.Equal(tc.want, got))
						return
					}
					assert.True(t, bytes.Equal(tc.body, got), "as it was sent")
					assert.Equal(t, tc.coding, coding)
					if assert.NotEmpty(t, rec.Remarks) {
						var e *limits.Error
						require.ErrorAs(t, errors.Join(rec.Remarks...), &e)
						assert.Equal(t, limits.ReasonCoding, e.Reason)
					}
				})
			}
		}
	}
}

// Under Shadow an Override inside it refuses nothing either.
func TestOverrideInTheShadow(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		outer  limits.Config
		route  limits.BodyLimits
		coding string
		body   []byte
	}{
		{"size", limits.Config{MaxBodyBytes: 1000}, limits.BodyLimits{MaxBodyBytes: 10}, "", []byte(xs(100))},
		{"decoded", limits.Config{MaxBodyBytes: 1000}, limits.BodyLimits{MaxDecodedBytes: 10}, "gzip", encode(t, []byte(xs(100)), "gzip")},
		{"coding", limits.Config{MaxBodyBytes: 1000}, limits.BodyLimits{MaxDecodedBytes: 10}, "br", []byte("br")},
		{"no gzip", limits.Config{MaxBodyBytes: 1000}, limits.BodyLimits{MaxDecodedBytes: 10}, "gzip", []byte("no gzip")},
		{"only a header limit around it", limits.Config{MaxHeaderFields: 100}, limits.BodyLimits{MaxBodyBytes: 10}, "", []byte(xs(100))},
		{"rate", limits.Config{MaxBodyBytes: 1000}, limits.BodyLimits{MinBodyRate: 1 << 40, BodyGrace: 1}, "", []byte(xs(100))},
	} {
		for _, p := range testhttp.Protocols {
			t.Run(tc.desc+"/"+p.String(), func(t *testing.T) {
				tc.outer.Shadow = true
				s := p.Start(t, limits.New(tc.outer)(limits.Override(tc.route)(http.HandlerFunc(
					func(_ http.ResponseWriter, r *http.Request) {
						_, err := io.Copy(io.Discard, r.Body)
						assert.NoError(t, err)
					}))))
				for _, body := range []io.Reader{bytes.NewReader(tc.body), chunks{bytes.NewReader(tc.body)}} {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, body)
					require.NoError(t, err)
					if tc.coding != "" {
						req.Header.Set("Content-Encoding", tc.coding)
					}
					res, err := s.Client().Do(req)
					require.NoError(t, err)
					res.Body.Close()
					assert.Equal(t, http.StatusOK, res.StatusCode)
				}
			})
		}
	}
}

// If a client's connection breaks while the beginning of the body is decoded, the
// handler gets the error.
func TestShadowAndABrokenBody(t *testing.T) {
	saw := make(chan read, 1)
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxDecodedBytes: 100, Shadow: true})(reading(saw)))
	c := s.Dial(t)
	c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\nabc")
	require.NoError(t, c.Close())
	got := testhttp.Await(t, saw)
	assert.EqualValues(t, 3, got.n)
	assert.Error(t, got.err)
}
