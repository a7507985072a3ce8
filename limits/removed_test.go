package limits_test

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Fields that net/http removes from the header map are part of the header: Host, or
// :authority, and the names of announced trailers.
func TestHeaderCountsFieldsRemovedFromTheMap(t *testing.T) {
	for _, tc := range []struct {
		desc     string
		host     string
		trailers int
		want     int
	}{
		{"neither", "example.com", 0, 200},
		{"as much as is allowed", xs(3000), 10, 200},
		{"a long host", xs(100_000), 0, 431},
		{"a host a little too long", xs(4000), 0, 431},
		{"many trailers", "example.com", 5000, 431},
		{"a few too many", "example.com", 60, 431},
	} {
		for _, p := range testhttp.Protocols {
			t.Run(tc.desc+"/"+p.String(), func(t *testing.T) {
				s := p.Start(t, limits.New(limits.Config{MaxHeaderBytes: 4000, MaxHeaderFields: 50})(http.HandlerFunc(
					func(http.ResponseWriter, *http.Request) {})))
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, chunks{strings.NewReader("x")})
				require.NoError(t, err)
				req.Host = tc.host
				if tc.trailers > 0 {
					req.Trailer = http.Header{}
					for i := range tc.trailers {
						req.Trailer["T"+strconv.Itoa(i)] = nil
					}
				}
				res, err := s.Client().Do(req)
				require.NoError(t, err)
				res.Body.Close()
				assert.Equal(t, tc.want, res.StatusCode)
			})
		}
	}
}

// The host in the absolute target of an HTTP/1 request counts, because net/http takes
// the host from there.
func TestHostInTheTarget(t *testing.T) {
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxHeaderBytes: 500})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	c := s.Dial(t)
	c.Send(t, "GET http://"+xs(600)+"/ HTTP/1.1\r\nHost: a\r\n\r\n")
	res, _ := c.Response(t)
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, res.StatusCode)
}

// Under net/http/fcgi and net/http/cgi a request has no RequestURI, only a URL.
func TestTargetWithoutRequestURI(t *testing.T) {
	h := limits.New(limits.Config{MaxURIBytes: 20})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, tc := range []struct {
		url  *url.URL
		want int
	}{
		{&url.URL{Path: "/short", RawQuery: "a=b"}, 200},
		{&url.URL{Path: "/" + xs(20)}, 414},
		{&url.URL{Path: "/", RawQuery: xs(20)}, 414},
		{&url.URL{Path: "/ääääää"}, 414}, // as it was sent: %C3%A4 each
		{&url.URL{Scheme: "https", Host: "a.example", Path: "/1234567890"}, 200},
		{&url.URL{Opaque: xs(30)}, 414},
		{nil, 200},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.RequestURI, r.URL = "", tc.url
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, tc.want, w.Code, "%v", tc.url)
	}
}

func TestTargetUnderCGI(t *testing.T) {
	h := limits.New(limits.Config{MaxURIBytes: 20})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for target, want := range map[string]int{"/short?a=b": 200, "/" + xs(20): 414, "/?" + xs(20): 414, "/%41%41%41%41%41%41%41": 414} {
		r, err := cgi.RequestFromMap(map[string]string{
			"REQUEST_METHOD": http.MethodGet, "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "a.example", "REQUEST_URI": target,
		})
		require.NoError(t, err)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, want, w.Code, target)
	}
}
