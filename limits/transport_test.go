package limits_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The bytes that the caller reads count, after http.Transport has decompressed them.
//
// Reported elsewhere: the transport decompresses without a limit, https://github.com/ffuf/ffuf/issues/897
func TestTransport(t *testing.T) {
	const limit = 1000
	s := testhttp.HTTP1.Start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := xs(map[string]int{"exactly": limit, "over": limit + 1, "far": 1 << 20}[r.URL.Query().Get("size")])
		switch r.URL.Path {
		case "/declared":
			_, _ = io.WriteString(w, body)
		case "/chunked":
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, body)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			gz := gzip.NewWriter(w)
			_, _ = io.WriteString(gz, body)
			_ = gz.Close()
		}
	}))
	client := &http.Client{Transport: limits.NewTransport(limits.TransportConfig{Base: s.Client().Transport, MaxResponseBytes: limit})}
	for _, path := range []string{"/declared", "/chunked", "/gzip"} {
		for _, size := range []string{"exactly", "over", "far"} {
			t.Run(path+" "+size, func(t *testing.T) {
				var b []byte
				res, err := client.Get(s.URL + path + "?size=" + size)
				if err == nil {
					b, err = io.ReadAll(res.Body)
					defer res.Body.Close()
				}
				if size == "exactly" {
					require.NoError(t, err)
					assert.Len(t, b, limit)
					return
				}
				var e *limits.Error
				require.ErrorAs(t, err, &e)
				assert.LessOrEqual(t, len(b), limit)
				assert.Equal(t, limits.ReasonResponse, e.Reason)
				assert.EqualValues(t, limit, e.Limit)
				assert.Greater(t, e.Got, int64(limit))
				host, _ := url.Parse(s.URL)
				assert.Equal(t, host.Host, e.Host)
				assert.Equal(t, 502, e.StatusCode())
				assert.Contains(t, e.Error(), "limits: response too large from "+host.Host+": ")
			})
		}
	}
	t.Run("HEAD has no body", func(t *testing.T) {
		res, err := client.Head(s.URL + "/declared?size=far")
		require.NoError(t, err)
		res.Body.Close()
	})
}

// Reported elsewhere: the transport decompresses without a limit, https://github.com/ffuf/ffuf/issues/897
func TestTransportBody(t *testing.T) {
	rt := limits.NewTransport(limits.TransportConfig{MaxResponseBytes: 5, Base: roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, ContentLength: -1, Body: io.NopCloser(strings.NewReader("0123456789"))}, nil
	})})
	req, err := http.NewRequest("GET", "http://example.org/", nil)
	require.NoError(t, err)
	res, err := rt.RoundTrip(req)
	require.NoError(t, err)
	p := make([]byte, 100)
	n, err := res.Body.Read(p)
	assert.Equal(t, "01234", string(p[:n]))
	for range 2 { // sticky
		require.EqualError(t, err, "limits: response too large from example.org: 6, limit 5")
		n, err = res.Body.Read(p)
		assert.Zero(t, n)
	}
	require.NoError(t, res.Body.Close())
	assert.Panics(t, func() { limits.NewTransport(limits.TransportConfig{MaxResponseBytes: -1}) })
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
