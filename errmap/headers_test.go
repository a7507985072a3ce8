package errmap_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// Reported elsewhere: headers of outer middleware are lost, https://github.com/Kludex/starlette/issues/1175
func TestHeaders(t *testing.T) {
	outer := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("X-Request-Id", "1")
			h.Set("Set-Cookie", "session=1")
			h.Set("Vary", "Origin")
			h.Set("Www-Authenticate", "outer")
			next.ServeHTTP(w, r)
		})
	}
	p := errmap.Problem{
		Status: 401, RetryAfter: 2 * time.Second,
		Header: http.Header{
			"www-authenticate": {`Bearer realm="x"`, "Basic"}, "Set-Cookie": {"session=1", "other=2"}, "Vary": {"Authorization"},
			"Content-Type": {"text/html"}, "Content-Length": {"1"}, "Content-Encoding": {"gzip"}, "Transfer-Encoding": {"x"}, "Etag": {"x"},
		},
	}
	handler := func(w http.ResponseWriter, _ *http.Request) error {
		h := w.Header()
		for _, k := range []string{
			"Content-Length", "Content-Encoding", "Content-Range", "Content-Disposition", "Etag", "Last-Modified",
			"Cache-Control", "Expires", "Accept-Ranges", "Location", "Content-Language",
		} {
			h.Set(k, "1")
		}
		return &p
	}
	want := http.Header{
		"Access-Control-Allow-Origin": {"*"}, "X-Request-Id": {"1"}, "Set-Cookie": {"session=1", "other=2"},
		"Www-Authenticate": {`Bearer realm="x"`, "Basic"}, "Retry-After": {"2"}, "X-Content-Type-Options": {"nosniff"},
		"Content-Type": {"application/problem+json"}, "Vary": {"Origin", "Authorization", "Accept"},
	}
	custom := errmap.New(errmap.Config{Render: func(w http.ResponseWriter, r *http.Request, p errmap.Problem) { errmap.ProblemJSON(w, r, p) }})
	for desc, m := range map[string]*errmap.Mapper{"ProblemJSON": mapper(), "a Render around it": custom} {
		t.Run(desc, func(t *testing.T) {
			assert.Equal(t, want, serve(outer(m.Handler(handler)), get()).Header())
		})
	}
	delete(want, "Vary")
	want["Vary"] = []string{"Origin", "Authorization"}
	want["Content-Type"] = []string{"application/json"}
	assert.Equal(t, want, serve(outer(errorJSON().Handler(handler)), get()).Header())
	assert.Len(t, p.Header["Vary"], 1, "the rule's own map is not written to")
}

// A rule decides about caching its response, and Render about all headers.
func TestHeadersOfTheAnswer(t *testing.T) {
	p := errmap.Problem{Status: 410, Header: http.Header{"Cache-Control": {"max-age=60"}, "Retry-After": {"7"}}}
	handler := func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Cache-Control", "public")
		return &p
	}
	rec := serve(mapper().Handler(handler), get())
	assert.Equal(t, "max-age=60", rec.Header().Get("Cache-Control"))
	assert.Equal(t, "7", rec.Header().Get("Retry-After"))
	p.RetryAfter = time.Second
	rec = serve(errmap.New(errmap.Config{Render: func(w http.ResponseWriter, r *http.Request, p errmap.Problem) {
		w.Header().Set("Cache-Control", "no-store")
		errmap.ErrorJSON(w, r, p)
	}}).Handler(handler), get())
	assert.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	assert.Equal(t, "1", rec.Header().Get("Retry-After"))
}

// The two renderers also work alone.
func TestRenderersAlone(t *testing.T) {
	rec := httptest.NewRecorder()
	rec.Header().Set("Etag", "x")
	errmap.ErrorJSON(rec, get(), errmap.Problem{Status: 404, RetryAfter: time.Second})
	assert.Equal(t, `{"error":"not found"}`, rec.Body.String())
	assert.Equal(t, http.Header{"Content-Type": {"application/json"}, "X-Content-Type-Options": {"nosniff"}, "Retry-After": {"1"}}, rec.Header())
	rec = httptest.NewRecorder()
	errmap.ProblemJSON(rec, get(), errmap.Problem{Status: 200, Detail: "nonsense"})
	assert.Equal(t, 500, rec.Code)
	assert.Regexp(t, `^{"title":"Internal Server Error","status":500,"instance":"urn:uuid:[0-9a-f-]{36}","code":"internal"}$`, rec.Body.String())
}

func TestVary(t *testing.T) {
	for have, want := range map[string][]string{
		"": {"Accept"}, "accept": {"accept"}, "Origin, Accept": {"Origin, Accept"}, "*": {"*"}, "Accept-Encoding": {"Accept-Encoding", "Accept"},
	} {
		rec := serve(mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
			if have != "" {
				w.Header().Set("Vary", have)
			}
			return errSecret
		}), get())
		assert.Equal(t, want, rec.Header()["Vary"])
	}
}

func TestHead(t *testing.T) {
	for desc, m := range map[string]*errmap.Mapper{"ProblemJSON": mapper(is(errNotFound, 404)), "ErrorJSON": errorJSON(is(errNotFound, 404))} {
		rec := serve(m.Handler(fails(errNotFound)), httptest.NewRequest(http.MethodHead, "/", nil))
		assert.Equal(t, 404, rec.Code, desc)
		assert.Empty(t, rec.Body.String(), desc)
		assert.NotEmpty(t, rec.Header().Get("Content-Type"), desc)
		testhttp.EachServer(t, m.Handler(fails(errNotFound)), func(t *testing.T, srv *testhttp.Server) {
			res, err := srv.Client().Head(srv.URL)
			require.NoError(t, err)
			defer res.Body.Close()
			assert.Equal(t, 404, res.StatusCode)
		})
	}
}

// Reported elsewhere: the media type depends on the order of Accept, https://github.com/spring-projects/spring-framework/issues/29588
func TestNegotiation(t *testing.T) {
	const problem, json, text = "application/problem+json", "application/json", "text/plain; charset=utf-8"
	for _, tt := range []struct {
		accept []string
		want   string
	}{
		{nil, problem},
		{[]string{""}, problem},
		{[]string{"*/*"}, problem},
		{[]string{"application/*"}, problem},
		{[]string{"application/json"}, json},
		{[]string{"APPLICATION/JSON;charset=utf-8"}, json},
		{[]string{"application/problem+json"}, problem},
		{[]string{"application/json, application/problem+json"}, problem},
		{[]string{"application/problem+json, application/json"}, problem},
		{[]string{"application/json", "application/problem+json;q=0.9"}, json},
		{[]string{"application/problem+json;q=0.5, application/json;q=0.501"}, json},
		{[]string{"text/plain"}, text},
		{[]string{"text/*"}, text},
		{[]string{"text/plain, */*;q=0.1"}, text},
		{[]string{"text/plain;q=0.1, application/json;q=0.2"}, json},
		{[]string{"*/*, application/problem+json;q=0"}, json},
		{[]string{"application/*;q=0, */*"}, text},
		{[]string{"application/json;q=0, application/*"}, problem},
		{[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, problem},
		{[]string{"text/html"}, problem},
		{[]string{"application/problem+json;q=0"}, problem},
		{[]string{`text/plain;x="a,application/json;q=1";q=0.5, application/json;q=0.4`}, text},
		{[]string{`text/plain;x="\",application/json", application/json;q=0.4`}, text},
		{[]string{"application/json;q=2, text/plain;q=0.1"}, text},
		{[]string{"application/json;q=x, text/plain;q=0.1"}, text},
		{[]string{"application/json;q=0.1234, text/plain;q=0.1"}, text},
		{[]string{"application/json;q=1.001, text/plain;q=0.1"}, text},
		{[]string{"application/json; Q=1.000 , text/plain;q=0.1"}, json},
		{[]string{"application/json;q=, text/plain;q=0."}, problem},
		{[]string{"*/*;q=0"}, problem},
		{[]string{"application/vnd.x+json"}, problem},
		{[]string{",,;;, application/json ;,"}, json},
	} {
		r := get()
		r.Header["Accept"] = tt.accept
		rec := serve(mapper(is(errNotFound, 404)).Handler(fails(errNotFound)), r)
		assert.Equal(t, tt.want, rec.Header().Get("Content-Type"), tt.accept)
		assert.Equal(t, "Accept", rec.Header().Get("Vary"))
		if tt.want == text {
			assert.Equal(t, "Not Found\n", rec.Body.String())
		} else {
			assert.Equal(t, `{"title":"Not Found","status":404}`, rec.Body.String())
		}
	}
}

func TestText(t *testing.T) {
	rec := serve(mapper().Handler(fails(&errmap.Problem{
		Status: 422, Title: "Invalid", Detail: "no good\xff", Fields: []errmap.FieldError{{"/a", "bad"}, {"/b", "worse"}},
	})), get("Accept", "text/plain"))
	assert.Equal(t, "no good\ufffd\n/a: bad\n/b: worse\n", rec.Body.String())
}

func FuzzAccept(f *testing.F) {
	for _, s := range []string{"*/*", "text/plain;q=0.5", `a/b;c="d,e";q=1`, "application/json;q=0.1,application/problem+json;q=0.2", `"\`} {
		f.Add(s, s)
	}
	h := mapper(is(errNotFound, 404)).Handler(fails(errNotFound))
	types := []string{"application/problem+json", "application/json", "text/plain; charset=utf-8"}
	f.Fuzz(func(t *testing.T, a, b string) {
		r := get()
		r.Header["Accept"] = []string{a, b}
		rec := serve(h, r)
		require.Contains(t, types, rec.Header().Get("Content-Type"))
		joined := get()
		joined.Header["Accept"] = []string{a + `,` + b}
		if strings.ContainsAny(a, `"\`) {
			return // an open quote reaches into the second
		}
		require.Equal(t, rec.Header().Get("Content-Type"), serve(h, joined).Header().Get("Content-Type"), "two lines are one list")
	})
}
