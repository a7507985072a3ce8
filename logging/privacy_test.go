package logging_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/logging"
)

// Only what is listed is logged: no other headers and query values, nothing of a URL in
// an error, and nothing of a request in a panic's value.
//
// Reported elsewhere:
//   - Authorization in the log, https://github.com/caddyserver/caddy/issues/3531
//   - tokens of the query in the log, https://github.com/dunglas/mercure/issues/910
//   - a recovery logs cookies, https://github.com/gin-gonic/gin/issues/1331
//   - lists of what is secret leak what is missing from them, https://github.com/grafana/mimir/issues/15487
func TestSecretsStayOut(t *testing.T) {
	const secret = "s3cr3t"
	r := httptest.NewRequest("GET", "/callback?code="+secret+"&page=2&"+secret+"&x;"+secret+"=1&page=1;token="+secret, nil)
	for _, h := range []string{"Authorization", "Cookie", "X-Api-Key", "Proxy-Authorization", "X-Anything"} {
		r.Header.Set(h, secret)
	}
	r.Header.Set("Accept", "text/html")
	m, _ := serve(t, logging.Config{
		RequestHeaders: []string{"accept", "x-absent"}, ResponseHeaders: []string{"Content-Type"}, QueryKeys: []string{"page"},
	}, r, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", secret)
		w.Header().Set("Content-Type", "text/plain")
		x := exchange.From(r.Context())
		x.Notes.AddCause(fmt.Errorf("exchange: %w", &url.Error{Op: "Post", URL: "https://me:" + secret + "@idp.example/token?page=3&code=" + secret + "#" + secret, Err: errors.New("refused")}))
		x.Notes.AddCause(errors.New(`parse "postgres://user:` + secret + `/` + secret + `@db:5432/app": invalid port`))
		x.Notes.AddCause(errors.New("GET /internal?key=" + secret))
		x.Notes.Panicked(fmt.Errorf("dial https://me:%s@host", secret), nil)
		w.WriteHeader(500)
	})
	require.NotContains(t, m["raw"], secret)
	require.Equal(t, "code=REDACTED&page=2&REDACTED&REDACTED&page=REDACTED", m["url.query"])
	require.Equal(t, []any{"text/html"}, m["http.request.header.accept"])
	require.Equal(t, []any{"text/plain"}, m["http.response.header.content-type"])
	require.NotContains(t, m, "http.request.header.x-absent")
	require.Equal(t, `exchange: Post "https://REDACTED:REDACTED@idp.example/token?page=3&code=REDACTED#REDACTED": refused; `+
		`parse "postgres://REDACTED:REDACTED@db:5432/app": invalid port; GET /internal?key=REDACTED`, m["error.message"])
}

// Reported elsewhere: control characters in the log, https://github.com/quarkiverse/quarkus-http-problem/issues/663
func TestValuesAreCleanAndCapped(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.Path = "/a\nb\x1b[31m\u202e\x00\xff\u2028é世"
	r.Header.Set("User-Agent", "x\r\n"+strings.Repeat("y", 5000))
	m, _ := serve(t, logging.Config{}, r, func(w http.ResponseWriter, r *http.Request) {})
	require.Equal(t, `/a\nb\x1b[31m\u202e\x00�\u2028é世`, m["url.path"])
	require.Len(t, m["user_agent.original"], 1024)
	require.True(t, strings.HasPrefix(m["user_agent.original"].(string), `x\r\nyy`))
}

// TestALogRecordIsBounded makes everything long that a client can make long.
func TestALogRecordIsBounded(t *testing.T) {
	for _, fill := range []string{`"`, `\`, "\n", "\x1b", "\xff", "世", "x", "&=", "<"} {
		long := strings.Repeat(fill, 60000/len(fill))
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path, r.URL.RawQuery = "/"+long, long
		for _, h := range []string{"User-Agent", "A", "B", "C", "D", "E", "F", "X-Request-Id", "Tracestate"} {
			r.Header[h] = []string{long, long, long}
		}
		r.Method, r.RemoteAddr = long, long+":1"
		m, _ := serve(t, logging.Config{RequestHeaders: []string{"A", "B", "C", "D", "E", "F"}}, r, func(w http.ResponseWriter, r *http.Request) {
			x := exchange.From(r.Context())
			x.Notes.AddCause(errors.New(long))
			x.Notes.Warn(errors.New(long))
			x.Notes.SetProblemID(long)
			x.Notes.Panicked(long, []byte(long))
			r.Pattern = "/" + long
			for range 10 {
				logging.Add(r.Context(), logAttr(long, long))
			}
		})
		raw := m["raw"].(string)
		require.LessOrEqual(t, len(raw), 16<<10, "%q", fill)
		require.True(t, utf8.ValidString(raw))
		require.Equal(t, "_OTHER", m["http.request.method"])
		require.Equal(t, "panic", m["outcome"])
	}
}

// Reported elsewhere: a stack of many lines, https://github.com/go-chi/chi/issues/911
func TestStackIsOneAttribute(t *testing.T) {
	m, _ := serve(t, logging.Config{Schema: logging.GCP}, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).Notes.Panicked("boom", []byte("goroutine 1 [running]:\nmain.f()\n\t/x/y.go:1\x1b\n"))
		w.WriteHeader(500)
	})
	require.Equal(t, "goroutine 1 [running]:\nmain.f()\n\t/x/y.go:1\\x1b\n", m["stack_trace"])
	require.Equal(t, "boom", m["exception.message"])
	require.Equal(t, "panic", m["outcome"])
}

type panicky struct{}

func (*panicky) Error() string { panic("no") }

type endless struct{ error }

func (e endless) Unwrap() error { return e }

func TestHostileErrors(t *testing.T) {
	var typedNil *panicky
	for _, err := range []error{typedNil, &panicky{}, endless{errors.New("x")}, errors.Join(typedNil, &panicky{})} {
		m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, r *http.Request) {
			exchange.From(r.Context()).Notes.AddCause(err)
			w.WriteHeader(500)
		})
		require.Equal(t, "error", m["outcome"])
		require.NotEmpty(t, m["error.message"])
		require.NotEmpty(t, m["error.type"])
	}
}
