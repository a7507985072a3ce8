package errmap_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// deadAddress returns an address that refuses connections.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// upstream is a server that sends text and closes.
func upstream(t *testing.T, response string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, response)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

// An error of a reverse proxy's upstream is a 502, as it is by default.
func TestReverseProxy(t *testing.T) {
	errs := errorJSON()
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	for desc, address := range map[string]string{
		"a dead upstream": deadAddress(t),
		"no response":     upstream(t, ""),
		"no HTTP":         upstream(t, "SSH-2.0\r\n\r\n"),
	} {
		target := &url.URL{Scheme: "http", Host: address}
		director := httputil.NewSingleHostReverseProxy(target)
		director.ErrorHandler, director.Transport = errs.Write, transport
		rewrite := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) }, ErrorHandler: errs.Write, Transport: transport}
		for way, proxy := range map[string]http.Handler{"NewSingleHostReverseProxy": director, "Rewrite": rewrite} {
			t.Run(desc+"/"+way, func(t *testing.T) {
				s := newSpy()
				testhttp.EachServer(t, s.wrap(proxy), func(t *testing.T, srv *testhttp.Server) {
					res, err := srv.Client().Get(srv.URL)
					require.NoError(t, err)
					defer res.Body.Close()
					b, err := io.ReadAll(res.Body)
					require.NoError(t, err)
					assert.Equal(t, 502, res.StatusCode)
					assert.Equal(t, `{"error":"bad gateway"}`, string(b))
					assert.Error(t, (<-s.ended).Cause)
				})
				assert.Equal(t, 502, serve(proxy, get()).Code, "without an exchange")
			})
		}
	}
}

// The same error from a handler's own client is a 500.
func TestDialOfAHandlerIsNotAProxy(t *testing.T) {
	_, dial := net.Dial("tcp", deadAddress(t))
	require.Error(t, dial)
	h := errorJSON().Handler(fails(dial))
	srv := testhttp.HTTP1.Start(t, h)
	res, err := srv.Client().Get(srv.URL)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, 500, res.StatusCode)
	assert.Contains(t, srv.Raw(t, "GET http://other.example/ HTTP/1.1", "Host: other.example", "Connection: close", ""), "HTTP/1.1 500")

	r := get() // middleware that completes the URL
	r.URL.Scheme, r.URL.Host = "http", r.Host
	assert.Equal(t, 500, serve(h, r).Code)
}

// ErrorLog gets one line of bounded length for any error.
func TestErrorLogLinesAreBoundedAndQuoted(t *testing.T) {
	forged := "boom\n2026/01/01 00:00:00 http: panic serving 10.0.0.1:1: forged"
	for desc, h := range map[string]http.Handler{
		"a long error":   mapper().Handler(fails(textErr(strings.Repeat("x", 1700<<10)))),
		"a forged line":  mapper().Handler(fails(textErr(forged))),
		"a forged panic": mapper().Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(forged) })),
		"a long panic":   mapper().Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(strings.Repeat("x", 1<<20)) })),
		"a long path":    mapper().Handler(fails(errSecret)),
	} {
		t.Run(desc, func(t *testing.T) {
			s := testhttp.HTTP1.Start(t, h)
			got := s.Get(t, "/"+strings.Repeat("p", 3000))
			require.NoError(t, got.Err)
			assert.Equal(t, 500, got.Status)
			text, stack, _ := strings.Cut(s.Log.String(), "\ngoroutine ")
			assert.NotContains(t, text, "\n2026")
			assert.NotContains(t, stack, forged)
			assert.Less(t, len(text), 2000)
			assert.Greater(t, len(text), 20)
			if stack == "" {
				assert.Equal(t, 1, strings.Count(text, "\n"))
			}
		})
	}
}

type textErr string

func (e textErr) Error() string { return string(e) }

func TestNilHandlersPanicAtWiringTime(t *testing.T) {
	assert.PanicsWithValue(t, "errmap: Handler: the function is nil", func() { mapper().Handler(nil) })
	assert.PanicsWithValue(t, "errmap: Recover: the handler is nil", func() { mapper().Recover(nil) })
}

func TestBecause(t *testing.T) {
	p := &errmap.Problem{Status: 409, Detail: "The name is taken."}
	err := p.Because(errSecret)
	assert.ErrorIs(t, err, errSecret)
	assert.ErrorIs(t, err, p)
	var found *errmap.Problem
	require.ErrorAs(t, err, &found)
	assert.Same(t, p, found)
	assert.Equal(t, "409 Conflict: The name is taken.: "+errSecret.Error(), err.Error())
	assert.Equal(t, error(p), p.Because(nil))

	s := newSpy()
	rec := serve(s.wrap(errorJSON().Handler(fails(err))), get())
	assert.Equal(t, 409, rec.Code)
	assert.Equal(t, `{"error":"The name is taken."}`, rec.Body.String())
	assert.ErrorIs(t, (<-s.ended).Cause, errSecret)
	assert.Equal(t, 404, mapper(is(errSecret, 404)).Problem(get(), err).Status, "a rule for the cause comes first")
}

// A Render that makes a new Problem keeps the headers that it has set.
func TestRenderThatMakesAnotherProblem(t *testing.T) {
	for desc, send := range map[string]func(http.ResponseWriter, *http.Request, errmap.Problem){
		"ProblemJSON": errmap.ProblemJSON, "ErrorJSON": errmap.ErrorJSON,
	} {
		t.Run(desc, func(t *testing.T) {
			var passed errmap.Problem
			m := errmap.New(errmap.Config{
				Rules: []errmap.Rule{errmap.Is(errNotFound, errmap.Problem{
					Status: 404, RetryAfter: 1e9, Header: http.Header{"X-Rule": {"rule"}, "X-Changed": {"rule"}},
				})},
				Render: func(w http.ResponseWriter, r *http.Request, p errmap.Problem) {
					passed = p
					w.Header().Set("Cache-Control", "max-age=1")
					w.Header().Set("Content-Language", "de")
					w.Header().Set("X-Rule", "render")
					send(w, r, errmap.Problem{Status: 410, Header: http.Header{"X-Own": {"1"}, "X-Changed": {"own"}}})
				},
			})
			rec := serve(newSpy().wrap(m.Handler(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Etag", "1")
				w.Header().Set("Cache-Control", "max-age=3600")
				return errNotFound
			})), get())
			assert.Equal(t, 410, rec.Code)
			h := rec.Header()
			assert.Equal(t, "max-age=1", h.Get("Cache-Control"))
			assert.Equal(t, "de", h.Get("Content-Language"))
			assert.Equal(t, "render", h.Get("X-Rule"))
			assert.Equal(t, "own", h.Get("X-Changed"))
			assert.Equal(t, "1", h.Get("X-Own"))
			assert.Equal(t, "1", h.Get("Retry-After"))
			assert.Empty(t, h.Get("Etag"))
			assert.Equal(t, errmap.Problem{Status: 404, RetryAfter: 1e9, Header: passed.Header}, passed, "nothing of the write in progress is in it")
		})
	}
}

// Headers that Render sets instead of the Problem's are kept if it passes the Problem
// on.
func TestRenderThatOverridesAHeader(t *testing.T) {
	m := errmap.New(errmap.Config{
		Rules: []errmap.Rule{errmap.Is(errNotFound, errmap.Problem{Status: 404, Header: http.Header{"X-Rule": {"rule"}}})},
		Render: func(w http.ResponseWriter, r *http.Request, p errmap.Problem) {
			w.Header().Set("X-Rule", "render")
			errmap.ProblemJSON(w, r, p)
		},
	})
	assert.Equal(t, "render", serve(m.Handler(fails(errNotFound)), get()).Header().Get("X-Rule"))
}
