package limits_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The handler gets at most the limit. A body of exactly the limit passes, declared or
// chunked.
//
// Reported elsewhere:
//   - a reader gets more than the limit, https://github.com/labstack/echo/issues/3071
//   - a body of exactly the limit is refused, https://github.com/golang/go/issues/10884
//   - only Content-Length is checked, chunked passes, https://github.com/ericmdantas/express-content-length-validator/issues/1
//   - a chunked body becomes a 500, or an empty body, https://github.com/langwatch/langwatch/issues/6637
func TestBodyLimit(t *testing.T) { //nolint:tparallel // the cases share a server
	t.Parallel()
	const limit = 1000
	for _, p := range testhttp.Protocols {
		saw := make(chan read, 1)
		s := p.Start(t, limits.New(limits.Config{MaxBodyBytes: limit})(reading(saw)))
		for _, chunked := range []bool{false, true} {
			for _, tc := range []struct {
				desc string
				size int
				want int
			}{
				{"empty", 0, 200}, {"one", 1, 200}, {"one under", limit - 1, 200}, {"exactly", limit, 200},
				{"one over", limit + 1, 413}, {"far over", 300_000, 413},
			} {
				t.Run(fmt.Sprintf("%s/chunked=%v/%s", p.String(), chunked, tc.desc), func(t *testing.T) {
					var body io.Reader = strings.NewReader(xs(tc.size))
					if chunked {
						body = chunks{body}
					}
					res, _ := post(t, s, body)
					assert.Equal(t, tc.want, res.StatusCode)
					if tc.want == 413 && !chunked {
						require.Empty(t, saw, "the handler ran")
						return
					}
					got := testhttp.Await(t, saw)
					assert.LessOrEqual(t, got.n, int64(limit))
					if tc.want == 200 {
						require.NoError(t, got.err)
						assert.EqualValues(t, tc.size, got.n)
						return
					}
					var tooLarge *http.MaxBytesError
					require.ErrorAs(t, got.err, &tooLarge)
					assert.EqualValues(t, limit, tooLarge.Limit)
					assert.EqualValues(t, limit, got.n)
				})
			}
		}
	}
}

// A reader that follows the contract of io.Reader, and uses n before it looks at the
// error, gets no byte above the limit, however large its buffer is. The error is
// returned again.
//
// Reported elsewhere: a reader gets more than the limit, https://github.com/labstack/echo/issues/3071
func TestErrorIsSticky(t *testing.T) {
	h := limits.New(limits.Config{MaxBodyBytes: 5})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p := make([]byte, 4096)
		n, err := r.Body.Read(p)
		assert.Equal(t, "01234", string(p[:n]))
		for range 3 {
			var tooLarge *http.MaxBytesError
			assert.ErrorAs(t, err, &tooLarge)
			n, err = r.Body.Read(p)
			assert.Zero(t, n)
		}
	}))
	r := httptest.NewRequest("POST", "/", chunks{strings.NewReader("0123456789")})
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// A decoder that loses the error of its reader cannot turn the 413 into another status:
// the exchange remembers it.
//
// Reported elsewhere:
//   - a binder turns 413 into 400, https://github.com/labstack/echo/issues/977
//   - MaxBytesError becomes 400, https://github.com/gin-gonic/gin/issues/3841
//   - form parsing loses the error, https://github.com/gin-gonic/gin/issues/1136
func TestErrorIsRemembered(t *testing.T) {
	var inner *exchange.Exchange
	h := limits.New(limits.Config{MaxBodyBytes: 5})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inner = exchange.From(r.Context())
		assert.Empty(t, r.PostFormValue("a"), "net/http itself loses it")
		var tooLarge *http.MaxBytesError
		assert.ErrorAs(t, inner.Notes.BodyError(), &tooLarge)
		assert.ErrorAs(t, inner.Notes.Cause(), &tooLarge)
	}))
	r := httptest.NewRequest("POST", "/", chunks{strings.NewReader("a=123456789")})
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(httptest.NewRecorder(), r)
	require.NotNil(t, inner)
}

// A body that is kept after its request returns an error, and never the next request's
//
// Reported elsewhere: a body that was kept reads another request's (Echo's BodyLimit).
func TestBodyFailsAfterTheRequest(t *testing.T) {
	for _, p := range testhttp.Protocols {
		t.Run(p.String(), func(t *testing.T) {
			kept := make(chan io.ReadCloser, 1)
			s := p.Start(t, limits.New(limits.Config{MaxBodyBytes: 100})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				select {
				case kept <- r.Body:
				default:
					_, err := io.ReadAll(r.Body)
					assert.NoError(t, err)
				}
			})))
			post(t, s, strings.NewReader("first"))
			body := testhttp.Await(t, kept)
			kept <- nil
			post(t, s, strings.NewReader("second"))
			n, err := body.Read(make([]byte, 10))
			assert.Zero(t, n)
			require.ErrorIs(t, err, http.ErrBodyReadAfterClose)
		})
	}
}

// The limit applies however a body is read, including multipart forms, whatever the
// argument of ParseMultipartForm.
//
// Reported elsewhere: a limit for forms is taken for a limit for bodies, https://github.com/goravel/goravel/issues/1005
func TestMultipartFormIsBounded(t *testing.T) {
	t.Parallel()
	saw := make(chan error, 1)
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 1000})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		saw <- r.ParseMultipartForm(32 << 20)
	})))
	body := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + xs(5000) + "\r\n--b--\r\n"
	req, err := http.NewRequest("POST", s.URL, chunks{strings.NewReader(body)})
	require.NoError(t, err)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	res, err := s.Client().Do(req)
	require.NoError(t, err)
	_ = res.Body.Close()
	var tooLarge *http.MaxBytesError
	require.ErrorAs(t, testhttp.Await(t, saw), &tooLarge)
}

// A decoder that stops at the end of its value does not read the rest, so nothing above
// the limit reaches the handler. A declared length is refused all the same. Of a chunked
// body only what was read counts.
//
// Reported elsewhere: a decoder stops early and 10 KB pass, https://github.com/flexprice/flexprice/issues/2527
func TestDecoderThatStopsEarly(t *testing.T) {
	t.Parallel()
	body := `{"a":1}` + strings.Repeat(" ", 10_000)
	var read int64
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 1000})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count := &counting{r: r.Body}
		var v struct{ A int }
		assert.NoError(t, json.NewDecoder(count).Decode(&v))
		read = count.n
	})))
	res, _ := post(t, s, strings.NewReader(body))
	assert.Equal(t, 413, res.StatusCode)
	res, _ = post(t, s, chunks{strings.NewReader(body)})
	assert.Equal(t, 200, res.StatusCode)
	assert.LessOrEqual(t, read, int64(1000))
}

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// HTTP/2 gets no Connection: close and no GOAWAY: the next request takes the
// same connection.
func TestHTTP2KeepsItsConnection(t *testing.T) {
	saw := make(chan read, 3)
	s := testhttp.HTTP2.Start(t, limits.New(limits.Config{MaxBodyBytes: 10})(reading(saw)))
	for i, body := range []io.Reader{strings.NewReader(xs(100)), chunks{strings.NewReader(xs(100_000))}, strings.NewReader("ok")} {
		var reused bool
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
		})
		req, err := http.NewRequestWithContext(ctx, "POST", s.URL, body)
		require.NoError(t, err)
		res, err := s.Client().Do(req)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		assert.Equal(t, i > 0, reused, "request %d", i)
		assert.Empty(t, res.Header.Get("Connection"))
		assert.Equal(t, []int{413, 413, 200}[i], res.StatusCode)
	}
}

// Reported elsewhere: the status of a refusal cannot be chosen, https://github.com/envoyproxy/envoy/issues/23696
func TestErrorHandler(t *testing.T) {
	h := limits.New(limits.Config{
		MaxBodyBytes: 5,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			var tooLarge *http.MaxBytesError
			assert.ErrorAs(t, err, &tooLarge)
			w.WriteHeader(http.StatusTeapot)
		},
	})(never(t))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("0123456789")))
	assert.Equal(t, http.StatusTeapot, w.Code)
	assert.Equal(t, "close", w.Header().Get("Connection"))
}

// Reported elsewhere: a limit above its maximum is accepted, https://github.com/Netflix/concurrency-limits/issues/199
func TestWrongConfig(t *testing.T) {
	assert.PanicsWithValue(t,
		"limits: MaxBodyBytes must not be negative; MaxQueue must not be negative; BodyGrace needs MinBodyRate; MaxWait needs MaxQueue",
		func() { limits.New(limits.Config{MaxBodyBytes: -1, MaxQueue: -1, MaxWait: 1, BodyGrace: 1}) })
	assert.PanicsWithValue(t,
		"limits: QueueTarget must not be negative; Critical needs a MaxInFlight of at least 2",
		func() {
			limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, QueueTarget: -1, Critical: func(*http.Request) bool { return true }})
		})
	assert.PanicsWithValue(t,
		"limits: MaxWait needs MaxQueue; QueueTarget needs MaxQueue; QueueTarget must not exceed MaxWait",
		func() { limits.New(limits.Config{MaxInFlight: 1, MaxWait: time.Second, QueueTarget: time.Minute}) })
	assert.PanicsWithValue(t,
		"limits: QueueTarget must not exceed MaxWait",
		func() { limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, QueueTarget: time.Second + 1}) })
	assert.PanicsWithValue(t,
		"limits: BodyCeiling must not be less than MaxBodyBytes",
		func() { limits.New(limits.Config{MaxBodyBytes: 2, BodyCeiling: 1}) })
	assert.PanicsWithValue(t,
		"limits: Override: MaxBodyBytes must not be negative; MaxDecodeRatio must not be negative",
		func() { limits.Override(limits.BodyLimits{MaxBodyBytes: -1, MaxDecodeRatio: -1}) })
	for _, cfg := range []limits.Config{
		{}, {Shadow: true}, {ErrorHandler: func(http.ResponseWriter, *http.Request, error) {}},
	} {
		assert.PanicsWithValue(t, "limits: Config limits nothing: set MaxBodyBytes, MaxDecodedBytes, MinBodyRate, "+
			"MaxURIBytes, MaxHeaderBytes, MaxHeaderFields or MaxInFlight", func() { limits.New(cfg) })
	}
}

// Outer middleware may call its handler a second time, for example as a fallback.
// The body can still be read.
//
// Reported elsewhere: a limiter is used before it is made, https://github.com/mholt/caddy-ratelimit/issues/36
func TestServingTwice(t *testing.T) {
	var got []string
	h := limits.New(limits.Config{MaxBodyBytes: 10, MaxDecodedBytes: 10})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p := make([]byte, 4)
		n, err := r.Body.Read(p)
		assert.NoError(t, err)
		got = append(got, string(p[:n]))
	}))
	twice := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		h.ServeHTTP(w, r)
	})
	observed(&ending{}, twice).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader("01234567")))
	assert.Equal(t, []string{"0123", "4567"}, got)
}
