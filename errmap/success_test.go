package errmap_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// Headers that describe the success, or its caching, are not sent with the error.
// https://github.com/treeverse/lakeFS/pull/9743
func TestHeadersOfTheFailedSuccess(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"Cache-Control", "public, max-age=3600", ""},
		{"Cache-Control", "no-store", "no-store"},
		{"Cache-Control", "Private, max-age=60, no-cache=\"Set-Cookie, X\"", "Private, no-cache=\"Set-Cookie, X\""},
		{"CDN-Cache-Control", "max-age=60", ""},
		{"CDN-Cache-Control", "no-store", "no-store"},
		{"Cloudflare-CDN-Cache-Control", "max-age=60", ""},
		{"Vercel-CDN-Cache-Control", "max-age=60", ""},
		{"Surrogate-Control", "max-age=60", ""},
		{"Edge-Control", "max-age=60", ""},
		{"X-Accel-Expires", "3600", ""},
		{"X-Accel-Expires", "0", "0"},
		{"Expires", "Wed, 21 Oct 2037 07:28:00 GMT", ""},
		{"Expires", "0", "0"},
		{"X-Accel-Redirect", "/protected/file", ""},
		{"X-Sendfile", "/srv/file", ""},
		{"X-Lighttpd-Send-File", "/srv/file", ""},
		{"X-Reproxy-Url", "http://10.0.0.7/", ""},
		{"Location", "/users/7", ""},
		{"Refresh", "0; url=/", ""},
		{"Etag", `"1"`, ""},
		{"Content-Range", "bytes 0-1/10", ""},
		{"Content-Range", "bytes */10", ""},
		{"Grpc-Status", "0", ""},
		{"Access-Control-Allow-Origin", "*", "*"},
		{"X-Request-Id", "1", "1"},
		{"Pragma", "no-cache", "no-cache"},
		{"Set-Cookie", "a=b", "a=b"},
		{"Strict-Transport-Security", "max-age=1", "max-age=1"},
	} {
		t.Run(tt.name+" "+tt.value, func(t *testing.T) {
			rec := serve(mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set(tt.name, tt.value)
				return errSecret
			}), get())
			assert.Equal(t, tt.want, rec.Header().Get(tt.name))
		})
	}
}

func TestContentRangeOfA416(t *testing.T) {
	for desc, tt := range map[string]struct {
		set  string
		p    errmap.Problem
		want string
	}{
		"of the handler's":     {"bytes */10", errmap.Problem{Status: 416}, "bytes */10"},
		"of the problem's":     {"", errmap.Problem{Status: 416, Header: http.Header{"Content-Range": {"bytes */10"}}}, "bytes */10"},
		"of a part":            {"bytes 0-1/10", errmap.Problem{Status: 416}, ""},
		"of another problem's": {"", errmap.Problem{Status: 404, Header: http.Header{"Content-Range": {"bytes */10"}}}, ""},
	} {
		t.Run(desc, func(t *testing.T) {
			rec := serve(mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
				if tt.set != "" {
					w.Header().Set("Content-Range", tt.set)
				}
				return &tt.p
			}), get())
			assert.Equal(t, tt.want, rec.Header().Get("Content-Range"))
		})
	}
}

// Trailers of a success, announced or set by their prefix, are not sent with the error:
// Grpc-Status: 0 would mean success.
func TestTrailersOfTheFailedSuccess(t *testing.T) {
	s := newSpy()
	testhttp.EachServer(t, s.wrap(mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Trailer", "Grpc-Status, x-checksum")
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set("X-Checksum", "1")
		w.Header().Set(http.TrailerPrefix+"X-Late", "1")
		return errSecret
	})), func(t *testing.T, srv *testhttp.Server) {
		res, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		assert.Equal(t, 500, res.StatusCode)
		assert.Empty(t, res.Trailer)
		for _, name := range []string{"Grpc-Status", "X-Checksum", "X-Late"} {
			assert.Empty(t, res.Header.Get(name))
		}
		<-s.ended
	})
}

// A response without a body is complete when its head is, so an error after it is only
// logged. https://github.com/vocdoni/vocdoni-node/pull/1049
func TestErrorAfterACompleteResponse(t *testing.T) {
	noContent := func(w http.ResponseWriter) error {
		w.WriteHeader(http.StatusNoContent)
		return json.NewEncoder(w).Encode(nil)
	}
	for _, tt := range []struct {
		desc, method string
		status       int
		write        func(http.ResponseWriter) error
	}{
		{"204", http.MethodGet, 204, noContent},
		{"304", http.MethodGet, 304, func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusNotModified)
			return errSecret
		}},
		{"HEAD", http.MethodHead, 200, func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusOK)
			return errSecret
		}},
		{"all of its Content-Length", http.MethodGet, 200, func(w http.ResponseWriter) error {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
			return errSecret
		}},
	} {
		for way, wrap := range map[string]func(http.Handler) http.Handler{
			"": func(h http.Handler) http.Handler { return h }, ", behind a body log": logsBodies,
		} {
			t.Run(tt.desc+way, func(t *testing.T) {
				s := newSpy()
				m := mapper()
				testhttp.EachServer(t, s.wrap(wrap(m.Handler(func(w http.ResponseWriter, _ *http.Request) error {
					return tt.write(w)
				}))), func(t *testing.T, srv *testhttp.Server) {
					req, err := http.NewRequestWithContext(t.Context(), tt.method, srv.URL, nil)
					require.NoError(t, err)
					res, err := srv.Client().Do(req)
					require.NoError(t, err)
					defer res.Body.Close()
					_, err = io.ReadAll(res.Body)
					require.NoError(t, err)
					assert.Equal(t, tt.status, res.StatusCode)
					e := <-s.ended
					assert.False(t, e.Cut)
					assert.Error(t, e.Cause)
				})
			})
		}
	}
}
