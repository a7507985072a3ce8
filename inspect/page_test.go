package inspect_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/inspect"
	"github.com/bulwark-go/bulwark/logging"
)

// get requests the page, as a browser does.
func get(t *testing.T, in *inspect.Inspector, query string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/?"+query, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	w := httptest.NewRecorder()
	in.ServeHTTP(w, r)
	return w
}

var (
	tags    = regexp.MustCompile(`<[^>]*>`)
	values  = regexp.MustCompile(`"[^"]*"`)
	inlined = regexp.MustCompile(`(?s)<(style|script)>(.*?)</`)
)

// skeleton returns the tags of a page with the names of their attributes.
func skeleton(page string) string {
	return values.ReplaceAllString(strings.Join(tags.FindAllString(page, -1), "\n"), `""`)
}

// The policy allows only the page's own style and script, by their hashes. No element
// has a style or handler attribute, which the policy would forbid.
func TestContentSecurityPolicy(t *testing.T) {
	w := get(t, inspect.New(inspect.Config{}), "")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	policy := w.Header().Get("Content-Security-Policy")
	assert.True(t, strings.HasPrefix(policy, "default-src 'none'; "))
	assert.NotContains(t, policy, "unsafe")
	found := inlined.FindAllStringSubmatch(w.Body.String(), -1)
	require.Len(t, found, 2)
	for _, f := range found {
		sum := sha256.Sum256([]byte(f[2]))
		assert.Contains(t, policy, f[1]+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	assert.NotRegexp(t, ` (style|on[a-z]+)=`, skeleton(w.Body.String()))
	assert.NotRegexp(t, `(src|href)="(https?:)?//`, w.Body.String(), "nothing comes from elsewhere")
}

// shown are the pages of an inspector with a request in flight and a failed one. Both
// have texts that the client, or the service, chose.
func shown(t *testing.T, route, path, agent, id, message string) (pages []string, r report) {
	t.Helper()
	in := inspect.New(inspect.Config{})
	errs := errmap.New(errmap.Config{})
	live := true
	h := stack(in, time.Minute, io.Discard)(errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		logging.Add(r.Context(), slog.String("http.route", route))
		if live {
			key := look(t, in).Requests[0].Key
			for _, query := range []string{"", "sort=bytes", "route=" + url.QueryEscape(look(t, in).Routes[0].Route), "key=" + key} {
				pages = append(pages, get(t, in, query).Body.String())
			}
			return nil
		}
		return errors.New(message)
	}))
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.URL.Path = path
	req.Header["User-Agent"], req.Header["X-Request-Id"] = []string{agent}, []string{id}
	h.ServeHTTP(httptest.NewRecorder(), req)
	live = false
	h.ServeHTTP(httptest.NewRecorder(), req)
	pages = append(pages, get(t, in, "").Body.String())
	return pages, look(t, in)
}

const hostileText = `"><script>alert(1)</script><img src=x onerror='alert(2)'>{{.}}&lt;/td>` + "\x00\x1b[2J\u202e`"

// FuzzPage: for any texts, the pages have the same elements with the same attributes,
// and the JSON has the texts.
func FuzzPage(f *testing.F) {
	f.Add(hostileText, hostileText, hostileText, hostileText, hostileText)
	f.Add("/a b", "/%2F", "curl/8", "abc", "no row")
	f.Add("javascript:alert(1)", "//evil.example/", "</textarea></title></style>", "'-alert(1)-'", "]]>--!>")
	var plain []string
	f.Fuzz(func(t *testing.T, route, path, agent, id, message string) {
		if plain == nil {
			pages, _ := shown(t, "/x", "/x", "x", "x", "x")
			for _, p := range pages {
				plain = append(plain, skeleton(p))
			}
		}
		pages, r := shown(t, "/x"+route, "/x"+path, "x"+agent, "x"+id, "x"+message)
		require.Len(t, pages, len(plain))
		for i := range pages {
			assert.Equal(t, plain[i], skeleton(pages[i]))
		}
		for _, f := range r.Failures {
			for _, text := range []string{f.Route, f.Path, f.Agent, f.Message} {
				assert.True(t, strings.HasPrefix(text, "x") || strings.HasPrefix(text, "/x"), text)
				assert.NotContains(t, text, "\x1b")
			}
		}
	})
}

// Clients that accept JSON get JSON. Browsers get the page.
func TestAccept(t *testing.T) {
	in := inspect.New(inspect.Config{})
	for accept, want := range map[string]string{
		"application/json":                    "application/json",
		"application/json; q=1, */*":          "application/json",
		"text/plain, application/json;q=0.9":  "application/json",
		"":                                    "text/html; charset=utf-8",
		"*/*":                                 "text/html; charset=utf-8",
		"text/html,application/xhtml+xml,*/*": "text/html; charset=utf-8",
		"application/json+x, ;;;":             "text/html; charset=utf-8",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		in.ServeHTTP(w, r)
		assert.Equal(t, want, w.Header().Get("Content-Type"), accept)
		assert.Equal(t, "Accept", w.Header().Get("Vary"))
		assert.Equal(t, want == "application/json", json.Valid(w.Body.Bytes()), accept)
	}
}

// The page of a request that has ended says that it has.
func TestPageOfAnEndedRequest(t *testing.T) {
	w := get(t, inspect.New(inspect.Config{}), "key=0-0")
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Contains(t, w.Body.String(), "it has ended")
}
