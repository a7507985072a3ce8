package limits_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// If a body exceeds its limit while it is forwarded, and the client stalls, the client
// gets 413 at once. http.Transport closes a body that it fails to read, and
// httputil.ReverseProxy closes it in any case.
func TestForwardedBodyOverItsLimit(t *testing.T) {
	upstream := testhttp.HTTP1.Start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	target, err := url.Parse(upstream.URL)
	require.NoError(t, err)
	errs := errmap.New(errmap.Config{})
	forward := map[string]http.Handler{
		"client": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, upstream.URL, r.Body)
			if !assert.NoError(t, err) {
				return
			}
			res, err := upstream.Client().Do(req)
			if err == nil {
				res.Body.Close()
				return
			}
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				return
			}
			w.WriteHeader(http.StatusBadGateway)
		}),
		"proxy": &httputil.ReverseProxy{
			Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
			Transport:    upstream.Client().Transport,
			ErrorHandler: errs.Write,
		},
		"deferred close": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer r.Body.Close()
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			}
		}),
	}
	for name, h := range forward {
		for _, tc := range []struct {
			desc, head, body string
			cfg              limits.Config
		}{
			{"chunked", "Transfer-Encoding: chunked\r\n", "3e8\r\n" + xs(300), limits.Config{MaxBodyBytes: 100}},
			{"declared, under the ceiling", "Content-Length: 1000\r\n", xs(300), limits.Config{MaxBodyBytes: 100, BodyCeiling: 1 << 20}},
			{"declared, nothing sent", "Content-Length: 1000\r\n", "", limits.Config{MaxBodyBytes: 100, BodyCeiling: 1 << 20}},
			{"decoded", "Content-Encoding: gzip\r\nContent-Length: 1000000\r\n", string(encode(t, make([]byte, 1<<20), "gzip")), limits.Config{MaxDecodedBytes: 1000}},
		} {
			t.Run(name+"/"+tc.desc, func(t *testing.T) {
				t.Parallel()
				s := testhttp.HTTP1.Start(t, limits.New(tc.cfg)(h))
				c := s.Dial(t)
				c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\n"+tc.head+"\r\n"+tc.body)
				res, _ := c.Response(t)
				assert.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
				assert.True(t, res.Close)
				c.Closed(t)
			})
		}
		t.Run(name+"/HTTP2", func(t *testing.T) {
			t.Parallel()
			s := testhttp.HTTP2.Start(t, limits.New(limits.Config{MaxBodyBytes: 100})(h))
			body, w := io.Pipe()
			defer w.Close()
			go func() { _, _ = io.WriteString(w, xs(300)) }()
			res, err := s.Client().Post(s.URL, "text/plain", body)
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
		})
	}
}

// An empty body is empty in any coding, and with or without a declared length.
func TestEmptyEncodedBody(t *testing.T) {
	for _, coding := range []string{"gzip", "x-gzip", "deflate", "gzip, deflate", "deflate, gzip"} {
		for _, p := range testhttp.Protocols {
			for desc, body := range map[string]io.Reader{
				"no length": chunks{strings.NewReader("")}, "length": strings.NewReader(""), "none": nil,
			} {
				t.Run(p.String()+"/"+coding+"/"+desc, func(t *testing.T) {
					saw := make(chan read, 1)
					s := p.Start(t, limits.New(limits.Config{MaxDecodedBytes: 100})(reading(saw)))
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, body)
					require.NoError(t, err)
					req.Header.Set("Content-Encoding", coding)
					res, err := s.Client().Do(req)
					require.NoError(t, err)
					res.Body.Close()
					assert.Equal(t, http.StatusOK, res.StatusCode)
					assert.Equal(t, read{0, nil}, testhttp.Await(t, saw))
				})
			}
		}
	}
	// On the wire it is a body that ends at once.
	saw := make(chan read, 1)
	c := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxDecodedBytes: 100})(reading(saw))).Dial(t)
	c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	res, _ := c.Response(t)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, read{0, nil}, testhttp.Await(t, saw))
}

// Retry-After never overflows, for any RetryAfter and any queue.
func TestRetryAfterNeverOverflows(t *testing.T) {
	const most = 1<<63 - 1
	for _, tc := range []limits.Config{
		{RetryAfter: most}, {RetryAfter: most - 1}, {RetryAfter: most/2 + 1}, {RetryAfter: most / 2}, {RetryAfter: most / 10}, {RetryAfter: 1},
	} {
		tc.MaxInFlight = 1
		inner := newHeld()
		h := limits.New(tc)(inner)
		go do(t.Context(), h, "/")
		testhttp.Await(t, inner.started)
		for range 50 {
			w, e := do(t.Context(), h, "/")
			require.Equal(t, http.StatusServiceUnavailable, w.Code)
			assert.Regexp(t, `^[1-9][0-9]*$`, w.Header().Get("Retry-After"))
			var le *limits.Error
			require.ErrorAs(t, e.Cause, &le)
			assert.Positive(t, le.RetryAfter())
			assert.GreaterOrEqual(t, le.RetryAfter().Seconds(), float64(tc.RetryAfter.Milliseconds())/1000-1)
		}
		close(inner.release)
	}
}
