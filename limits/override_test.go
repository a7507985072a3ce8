package limits_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOverride(t *testing.T) {
	saw := make(chan read, 1)
	for _, tc := range []struct {
		desc              string
		limit, ceil, over int64
		size              int
		chunked           bool
		want              int
	}{
		{"lower", 100, 0, 10, 50, false, 413},
		{"lower, chunked", 100, 0, 10, 50, true, 413},
		{"higher without a ceiling", 100, 0, 1000, 500, false, 413},
		{"higher", 100, 1000, 500, 500, false, 200},
		{"higher, chunked", 100, 1000, 500, 500, true, 200},
		{"over it", 100, 1000, 500, 501, false, 413},
		{"no higher than the ceiling", 100, 1000, 5000, 1001, true, 413},
		{"nothing to change", 100, 1000, 0, 101, false, 413},
		{"no limit around it", 0, 0, 10, 11, false, 413},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			h := limits.New(limits.Config{MaxURIBytes: 100, MaxBodyBytes: tc.limit, BodyCeiling: max(tc.ceil, tc.limit)})(
				wrap(limits.Override(limits.BodyLimits{MaxBodyBytes: tc.over})(reading(saw))))
			var body io.Reader = strings.NewReader(xs(tc.size))
			if tc.chunked {
				body = chunks{body}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("POST", "/", body))
			assert.Equal(t, tc.want, w.Code)
			select {
			case got := <-saw:
				assert.LessOrEqual(t, got.n, max(tc.over, tc.limit))
			default:
				assert.Equal(t, 413, w.Code)
			}
		})
	}
}

// A declared length between the limit and the ceiling is refused at the first Read,
// without a 100 Continue.
func TestDeclaredUnderTheCeiling(t *testing.T) {
	t.Parallel()
	saw := make(chan read, 1)
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 10, BodyCeiling: 100})(reading(saw)))
	c := s.Dial(t)
	c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\nExpect: 100-continue\r\n\r\n")
	res, _ := c.Response(t)
	assert.Equal(t, 413, res.StatusCode)
	assert.Zero(t, testhttp.Await(t, saw).n)
}

// plain is a writer without an Unwrap method, as some middleware has.
type plain struct{ http.ResponseWriter }

func behindPlainWriter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(plain{w}, r) })
}

// behindBoth replaces the body as well.
func behindBoth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
		next.ServeHTTP(plain{w}, r)
	})
}

// The limits belong to the request, whatever writer a middleware in between has put
// around ours, and whether the route decodes or not.
func TestOverrideRaises(t *testing.T) {
	text := noise(2000) // incompressible
	for _, tc := range []struct {
		desc   string
		outer  limits.Config
		route  limits.BodyLimits
		coding string
		want   int
	}{
		{"size", limits.Config{MaxBodyBytes: 100, BodyCeiling: 10_000}, limits.BodyLimits{MaxBodyBytes: 5000}, "", 200},
		{"size, not enough", limits.Config{MaxBodyBytes: 100, BodyCeiling: 10_000}, limits.BodyLimits{MaxBodyBytes: 1000}, "", 413},
		{"size, over the ceiling", limits.Config{MaxBodyBytes: 100, BodyCeiling: 1000}, limits.BodyLimits{MaxBodyBytes: 5000}, "", 413},
		{"of an encoded body", limits.Config{MaxBodyBytes: 100, BodyCeiling: 10_000}, limits.BodyLimits{MaxBodyBytes: 5000}, "gzip", 200},
		{"and decoding", limits.Config{MaxBodyBytes: 100, BodyCeiling: 10_000}, limits.BodyLimits{MaxBodyBytes: 5000, MaxDecodedBytes: 5000}, "gzip", 200},
		{"and decoding, not enough", limits.Config{MaxBodyBytes: 100, BodyCeiling: 10_000}, limits.BodyLimits{MaxBodyBytes: 5000, MaxDecodedBytes: 1000}, "gzip", 413},
		{"decoding alone", limits.Config{MaxBodyBytes: 100, BodyCeiling: 10_000}, limits.BodyLimits{MaxDecodedBytes: 5000}, "gzip", 200},
		{"decoding alone, two codings", limits.Config{MaxBodyBytes: 100, BodyCeiling: 10_000}, limits.BodyLimits{MaxDecodedBytes: 5000}, "gzip, deflate", 200},
		{"decoding alone, over the ceiling", limits.Config{MaxBodyBytes: 100, BodyCeiling: 1000}, limits.BodyLimits{MaxDecodedBytes: 5000}, "gzip", 413},
		{"decoding that is outside", limits.Config{MaxBodyBytes: 100, MaxDecodedBytes: 100, BodyCeiling: 10_000}, limits.BodyLimits{MaxDecodedBytes: 5000}, "gzip", 200},
		{"decoding alone, plain body", limits.Config{MaxBodyBytes: 100, BodyCeiling: 10_000}, limits.BodyLimits{MaxDecodedBytes: 5000}, "", 413},
		{"lower by decoding", limits.Config{MaxBodyBytes: 5000, BodyCeiling: 10_000}, limits.BodyLimits{MaxDecodedBytes: 3000}, "gzip", 200},
	} {
		for name, between := range map[string]func(http.Handler) http.Handler{
			"nothing": func(h http.Handler) http.Handler { return h }, "a writer": wrap, "a plain writer": behindPlainWriter, "both": behindBoth,
		} {
			for _, p := range testhttp.Protocols {
				t.Run(tc.desc+"/"+name+"/"+p.String(), func(t *testing.T) {
					t.Parallel()
					saw := make(chan read, 2)
					s := p.Start(t, limits.New(tc.outer)(between(limits.Override(tc.route)(reading(saw)))))
					body := text
					if tc.coding != "" {
						body = encode(t, text, strings.Split(tc.coding, ", ")...)
					}
					for _, r := range []io.Reader{bytes.NewReader(body), chunks{bytes.NewReader(body)}} {
						req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, r)
						require.NoError(t, err)
						if tc.coding != "" {
							req.Header.Set("Content-Encoding", tc.coding)
						}
						res, err := s.Client().Do(req)
						require.NoError(t, err)
						res.Body.Close()
						assert.Equal(t, tc.want, res.StatusCode)
						if tc.want != 200 {
							continue
						}
						n := int64(len(text))
						if tc.route.MaxDecodedBytes == 0 {
							n = int64(len(body))
						}
						assert.Equal(t, read{n, nil}, testhttp.Await(t, saw))
					}
				})
			}
		}
	}
}

// A request that a handler makes, with the context of the request that it serves, is
// another request: its limits do not change those of the first.
func TestOverrideOfAnotherRequest(t *testing.T) {
	saw := make(chan read, 2)
	inner := limits.Override(limits.BodyLimits{MaxBodyBytes: 5000})(reading(saw))
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 100, BodyCeiling: 10_000})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sub, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "/other", strings.NewReader(xs(4000)))
		if assert.NoError(t, err) {
			inner.ServeHTTP(httptest.NewRecorder(), sub)
		}
		reading(saw).ServeHTTP(w, r)
	})))
	res, _ := post(t, s, chunks{strings.NewReader(xs(500))})
	assert.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	assert.Equal(t, read{4000, nil}, testhttp.Await(t, saw))
	assert.EqualValues(t, 100, testhttp.Await(t, saw).n)
}
