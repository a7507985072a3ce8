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

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// L1, L6, L13, L14: what is delivered never exceeds the limit, exactly the
// limit passes, declared or chunked.
func TestBodyLimit(t *testing.T) { //nolint:tparallel // the cases share a server
	t.Parallel()
	const limit = 1000
	for _, p := range protocols {
		saw := make(chan read, 1)
		s := p.serve(t, limits.New(limits.Config{MaxBodyBytes: limit})(reading(saw)))
		for _, chunked := range []bool{false, true} {
			for _, tc := range []struct {
				desc string
				size int
				want int
			}{
				{"empty", 0, 200}, {"one", 1, 200}, {"one under", limit - 1, 200}, {"exactly", limit, 200},
				{"one over", limit + 1, 413}, {"far over", 300_000, 413},
			} {
				t.Run(fmt.Sprintf("%s/chunked=%v/%s", p.name, chunked, tc.desc), func(t *testing.T) {
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
					got := within(t, saw)
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

// L1 (echo #3071): a reader that follows the contract of io.Reader, counting n
// before it looks at the error, gets no byte past the limit, however large its
// buffer; and the error stays.
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

// L2, L7, L8: a decoder that loses the error of its reader cannot turn 413 into
// something else: the exchange remembers it.
func TestErrorIsRemembered(t *testing.T) {
	var inner *exchange.Exchange
	h := limits.New(limits.Config{MaxBodyBytes: 5})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inner = exchange.From(r.Context())
		assert.Empty(t, r.PostFormValue("a"), "net/http itself loses it")
		var tooLarge *http.MaxBytesError
		assert.ErrorAs(t, inner.BodyError(), &tooLarge)
		assert.ErrorAs(t, inner.Cause(), &tooLarge)
	}))
	r := httptest.NewRequest("POST", "/", chunks{strings.NewReader("a=123456789")})
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(httptest.NewRecorder(), r)
	require.NotNil(t, inner)
}

// L3: a body kept past its request is dead, and not the next request's.
func TestBodyIsDeadAfterTheRequest(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			kept := make(chan io.ReadCloser, 1)
			s := p.serve(t, limits.New(limits.Config{MaxBodyBytes: 100})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				select {
				case kept <- r.Body:
				default:
					_, err := io.ReadAll(r.Body)
					assert.NoError(t, err)
				}
			})))
			post(t, s, strings.NewReader("first"))
			body := within(t, kept)
			kept <- nil
			post(t, s, strings.NewReader("second"))
			n, err := body.Read(make([]byte, 10))
			assert.Zero(t, n)
			require.ErrorIs(t, err, http.ErrBodyReadAfterClose)
		})
	}
}

// L9: the limit holds for every way in which a body is read, since it is the
// body that has it; multipart forms too, whatever ParseMultipartForm is told.
func TestMultipartFormIsBounded(t *testing.T) {
	t.Parallel()
	saw := make(chan error, 1)
	s := serve(t, limits.New(limits.Config{MaxBodyBytes: 1000})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
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
	require.ErrorAs(t, within(t, saw), &tooLarge)
}

// L10: a decoder that stops at the end of its value never asks for the rest,
// so nothing past the limit reaches anybody. A declared length is refused all
// the same; of a chunked body only what was read counts.
func TestDecoderThatStopsEarly(t *testing.T) {
	t.Parallel()
	body := `{"a":1}` + strings.Repeat(" ", 10_000)
	var read int64
	s := serve(t, limits.New(limits.Config{MaxBodyBytes: 1000})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	s := serve2(t, limits.New(limits.Config{MaxBodyBytes: 10})(reading(saw)))
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

func TestWrongConfig(t *testing.T) {
	assert.PanicsWithValue(t,
		"limits: MaxBodyBytes must not be negative; MaxQueue must not be negative; BodyGrace needs MinBodyRate; MaxWait needs MaxQueue",
		func() { limits.New(limits.Config{MaxBodyBytes: -1, MaxQueue: -1, MaxWait: 1, BodyGrace: 1}) })
	assert.PanicsWithValue(t,
		"limits: BodyCeiling must not be less than MaxBodyBytes", // L25
		func() { limits.New(limits.Config{MaxBodyBytes: 2, BodyCeiling: 1}) })
	assert.PanicsWithValue(t,
		"limits: Override: MaxBodyBytes must not be negative; BodyCeiling is New's to set; Shadow is New's to set",
		func() { limits.Override(limits.Config{MaxBodyBytes: -1, BodyCeiling: 1, Shadow: true}) })
}

// A middleware further out may serve once more, say for a fallback: the body
// is as alive as it was.
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
