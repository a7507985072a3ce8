package limits_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHead(t *testing.T) {
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	// Host: example.com is a field as well, of 19 bytes.
	for _, tc := range []struct {
		desc   string
		cfg    limits.Config
		target string
		header http.Header
		want   int
	}{
		{"URI, exactly", limits.Config{MaxURIBytes: 10}, "/123456789", nil, 200},
		{"URI, one over", limits.Config{MaxURIBytes: 10}, "/1234567890", nil, 414},
		{"URI, the query counts", limits.Config{MaxURIBytes: 10}, "/?123456789", nil, 414},
		{"URI, as it was sent", limits.Config{MaxURIBytes: 10}, "/%41%41%41%41", nil, 414},
		{"fields, exactly", limits.Config{MaxHeaderFields: 4}, "/", http.Header{"A": {"1"}, "B": {"1", "2"}}, 200},
		{"fields, one over", limits.Config{MaxHeaderFields: 3}, "/", http.Header{"A": {"1"}, "B": {"1", "2"}}, 431},
		{"bytes, exactly", limits.Config{MaxHeaderBytes: 36}, "/", http.Header{"A": {"1"}, "Bc": {"12345"}}, 200},
		{"bytes, one over", limits.Config{MaxHeaderBytes: 35}, "/", http.Header{"A": {"1"}, "Bc": {"12345"}}, 431},
		{"bytes, empty values", limits.Config{MaxHeaderBytes: 518}, "/", http.Header{"A": make([]string, 100)}, 431},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			r := httptest.NewRequest("GET", tc.target, nil)
			if tc.header != nil {
				r.Header = tc.header
			}
			w := httptest.NewRecorder()
			limits.New(tc.cfg)(ok).ServeHTTP(w, r)
			assert.Equal(t, tc.want, w.Code)
			assert.Empty(t, w.Header().Get("Connection"), "the connection is sound")
		})
	}
}

// The same over the wire; and the next request takes the same connection.
func TestHeadOverTheWire(t *testing.T) {
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxURIBytes: 50, MaxHeaderBytes: 500})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	c := s.Dial(t)
	for _, tc := range []struct {
		target, header string
		want           int
	}{
		{"/" + xs(50), "", 414}, {"/", "X: " + xs(500) + "\r\n", 431}, {"/", "", 200},
	} {
		c.Send(t, "GET "+tc.target+" HTTP/1.1\r\nHost: a\r\n"+tc.header+"\r\n")
		res, _ := c.Response(t)
		assert.Equal(t, tc.want, res.StatusCode)
	}
}

// A refusal that leaves the connection open does not wait for the body for
// longer than a moment.
func TestRefusalWithAPendingBody(t *testing.T) {
	t.Parallel()
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxURIBytes: 50})(never(t)))
	c := s.Dial(t)
	c.Send(t, "POST /"+xs(50)+" HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
	res, _ := c.Response(t)
	assert.Equal(t, 414, res.StatusCode)
	c.Closed(t)
}

// Shadow reports everything and refuses nothing.
func TestShadow(t *testing.T) {
	inner := newHeld()
	close(inner.release)
	for _, tc := range []struct {
		desc string
		cfg  limits.Config
		body []byte
		code string
		want int // bytes that the handler reads
	}{
		{"declared", limits.Config{MaxBodyBytes: 10}, []byte(xs(100)), "", 100},
		{"under the ceiling", limits.Config{MaxBodyBytes: 10, BodyCeiling: 200}, []byte(xs(100)), "", 100},
		{"decoded", limits.Config{MaxDecodedBytes: 10}, encode(t, []byte(xs(100)), "gzip"), "gzip", 100},
		{"ratio", limits.Config{MaxDecodedBytes: math.MaxInt64, MaxDecodeRatio: 2}, encode(t, make([]byte, 3<<20), "gzip"), "gzip", 3 << 20},
		{"coding", limits.Config{MaxDecodedBytes: 10}, []byte("zstd"), "zstd", 4},
		{"URI", limits.Config{MaxURIBytes: 1}, []byte("x"), "", 1},
		{"header", limits.Config{MaxHeaderBytes: 1}, []byte("x"), "", 1},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(tc.desc, func(t *testing.T) {
				tc.cfg.Shadow = true
				var n int
				e := &ending{}
				h := observed(e, limits.New(tc.cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					b, err := readAll(r)
					assert.NoError(t, err)
					n = len(b)
				})))
				body := strings.NewReader(string(tc.body))
				r := httptest.NewRequest("POST", "/path", body)
				if chunked {
					r = httptest.NewRequest("POST", "/path", chunks{body})
				}
				r.Header.Set("X-Some", "thing")
				if tc.code != "" {
					r.Header.Set("Content-Encoding", tc.code)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				assert.Equal(t, 200, w.Code)
				assert.Equal(t, tc.want, n)
				assert.Len(t, e.Remarks, 1)
				require.NoError(t, e.Cause)
				assert.NotEqual(t, exchange.Refused, e.Outcome)
			})
		}
	}
}

func TestShadowInFlight(t *testing.T) {
	inner := newHeld()
	h := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, Shadow: true})(inner)
	ended := make(chan *ending, 3)
	for range 3 {
		go func() {
			_, e := do(t.Context(), h, "/")
			ended <- e
		}()
		testhttp.Await(t, inner.started)
	}
	close(inner.release)
	var remarks int
	for range 3 {
		e := testhttp.Await(t, ended)
		assert.Equal(t, 200, e.Status)
		remarks += len(e.Remarks)
	}
	assert.Equal(t, 1, remarks, "the third is neither in flight nor in the queue")
}
