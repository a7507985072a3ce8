package logging_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func TestTheHandlerCannotChangeTheID(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		s := start(t, p, func(w http.ResponseWriter, _ *http.Request) { w.Header()["X-Request-Id"][0] = "forged" })
		got := s.Get(t, "/")
		require.NoError(t, got.Err)
		require.Equal(t, "forged", got.Header.Get("X-Request-Id"))
		require.Regexp(t, uuid7, s.lines.next(t)["request_id"])
	})
}

// A proxy passes on the id of the server behind it, which may be another one. An inbound
// id that is not clean is not sent to that server.
func TestOneIDBehindAProxy(t *testing.T) {
	for _, tt := range []struct {
		desc, in string
		taken    bool
	}{
		{"no id", "", false},
		{"a clean id", "abc-1", true},
		{"an id that is not clean", "a b\"c", false},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				seen := make(chan []string, 1)
				back := start(t, testhttp.HTTP1, func(w http.ResponseWriter, r *http.Request) { seen <- r.Header["X-Request-Id"] })
				u, err := url.Parse(back.URL)
				require.NoError(t, err)
				proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}
				front := start(t, p, proxy.ServeHTTP)
				r, err := http.NewRequestWithContext(t.Context(), "GET", front.URL, nil)
				require.NoError(t, err)
				if tt.in != "" {
					r.Header.Set("X-Request-Id", tt.in)
				}
				res, err := front.Client().Do(r)
				require.NoError(t, err)
				_ = res.Body.Close()
				id := front.lines.next(t)["request_id"].(string)
				require.Equal(t, []string{id}, res.Header["X-Request-Id"])
				passed := <-seen
				switch {
				case tt.taken:
					require.Equal(t, tt.in, id)
					require.Equal(t, []string{tt.in}, passed)
				case tt.in != "":
					require.Equal(t, []string{id}, passed)
				default:
					require.Empty(t, passed)
				}
			})
		})
	}
}

func TestTheCallersRequestKeepsItsHeader(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Request-Id", "not clean")
	inside := ""
	m, _ := serve(t, logging.Config{}, r, func(_ http.ResponseWriter, inner *http.Request) {
		inside = inner.Header.Get("X-Request-Id")
	})
	require.Equal(t, m["request_id"], inside)
	require.Equal(t, "not clean", r.Header.Get("X-Request-Id"))
}

// A ReverseProxy clears the header after each informational response of its upstream.
func TestIDBehindAProxyWithEarlyHints(t *testing.T) {
	for _, deadline := range []bool{false, true} {
		testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
			back := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Request-Id", "upstream's")
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusNoContent)
			})
			u, err := url.Parse(back.URL)
			require.NoError(t, err)
			var proxy http.Handler = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}
			if deadline {
				proxy = timeout.New(timeout.Config{Limit: testhttp.Patience})(proxy)
			}
			front := start(t, p, proxy.ServeHTTP)
			res := front.Get(t, "/")
			require.NoError(t, res.Err)
			require.Equal(t, http.StatusNoContent, res.Status)
			require.Equal(t, []string{front.lines.next(t)["request_id"].(string)}, res.Header["X-Request-Id"])
		})
	}
}

func TestGCPKeepsThePathEscaped(t *testing.T) {
	for target, want := range map[string]string{
		"/a%3Ftoken=x":                    "http://example.com/a%3Ftoken=x",
		"/a%23b?k=v":                      "http://example.com/a%23b?k=REDACTED",
		"/a%2Fb/c%20d":                    "http://example.com/a%2Fb/c%20d",
		"/plain":                          "http://example.com/plain",
		"//u:s3cr3t@h/?k=v":               "http://example.com//u:s3cr3t@h/?k=REDACTED", // a path, whatever it looks like
		"/%E4%B8%96?page=%3":              "http://example.com/%E4%B8%96?page=REDACTED",
		"/to/https:%2F%2Fh%2F%3Fk=s3cr3t": "http://example.com/to/httpsREDACTED",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		path, query, _ := strings.Cut(target, "?")
		p, err := url.PathUnescape(path)
		require.NoError(t, err)
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = p, path, query
		m, _ := serve(t, logging.Config{Schema: logging.GCP}, r, func(_ http.ResponseWriter, r *http.Request) { r.URL.Path = "/changed" })
		require.Equal(t, want, m["httpRequest"].(map[string]any)["requestUrl"])
	}
}

// A proxy has its target in the path. The path is logged unescaped, but the target may
// be escaped twice.
func TestURLInThePath(t *testing.T) {
	const target = "https://u:s3cr3t@h/?k=s3cr3t"
	for _, path := range []string{url.PathEscape(target), url.QueryEscape(target), url.QueryEscape(url.QueryEscape(target))} {
		for _, schema := range []logging.Schema{logging.OTel, logging.ECS, logging.GCP} {
			m, _ := serve(t, logging.Config{Schema: schema}, httptest.NewRequest("GET", "/to/"+path, nil), func(http.ResponseWriter, *http.Request) {})
			require.NotContains(t, m["raw"], "s3cr3t")
		}
	}
}

// brokenConn fails all writes once the request was read.
type brokenConn struct {
	net.Conn
	err error
}

func (c *brokenConn) Write([]byte) (int, error) {
	return 0, &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", c.err)}
}

type brokenListener struct {
	net.Listener
	err error
}

func (l *brokenListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &brokenConn{c, l.err}, nil
}

// A client whose machine or network fails does not close its connection.
func TestClientThatVanished(t *testing.T) {
	for _, err := range []error{syscall.EPIPE, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		t.Run(err.Error(), func(t *testing.T) {
			s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(make([]byte, 64<<10))
			}, func(s *httptest.Server, _ *logging.Config) { s.Listener = &brokenListener{s.Listener, err} })
			s.Dial(t).Send(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			m := s.lines.next(t)
			require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
			require.Equal(t, "INFO", m["level"])
		})
	}
	t.Run("an error of the disk is none", func(t *testing.T) {
		s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 64<<10))
		}, func(s *httptest.Server, _ *logging.Config) { s.Listener = &brokenListener{s.Listener, syscall.EIO} })
		s.Dial(t).Send(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		m := s.lines.next(t)
		require.Equal(t, "write_error", m["outcome"], "%s", m["raw"])
		require.Equal(t, "ERROR", m["level"])
	})
}

// net/http removes these from the header.
func TestHeadersThatNetHTTPMoves(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		s := start(t, p, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) },
			func(_ *httptest.Server, c *logging.Config) {
				c.RequestHeaders = []string{"Host", "Transfer-Encoding", "Trailer", "Content-Length"}
			})
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL, struct{ io.Reader }{strings.NewReader("x")})
		require.NoError(t, err)
		r.Host = "service.example"
		r.Trailer = http.Header{"X-Sum": nil, "X-Also": nil}
		res, err := s.Client().Do(r)
		require.NoError(t, err)
		_ = res.Body.Close()
		m := s.lines.next(t)
		require.Equal(t, []any{"service.example"}, m["http.request.header.host"])
		require.Equal(t, []any{"X-Also", "X-Sum"}, m["http.request.header.trailer"])
		if p == testhttp.HTTP1 {
			require.Equal(t, []any{"chunked"}, m["http.request.header.transfer-encoding"])
		}
		require.NotContains(t, m, "http.request.header.content-length")
	})
}

// A header may be listed for the path of its URL. The rest of the URL is not logged.
func TestListedHeadersHoldURLs(t *testing.T) {
	const secret = "s3cr3t"
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Referer", "https://u:"+secret+"@idp.example/cb?state="+secret+"&page=2#"+secret)
	r.Header.Set("User-Agent", "bot (+https://bot.example/?k="+secret+")")
	r.Header.Set("X-Request-Id", "https://u:"+secret+"@h?x")
	m, _ := serve(t, logging.Config{
		RequestHeaders: []string{"Referer"}, ResponseHeaders: []string{"Location", "Link", "Refresh"}, QueryKeys: []string{"page"},
	}, r, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/cb?code="+secret+" "+secret+"#access_token="+secret)
		w.Header().Set("Link", "<https://h/p?page=2&k="+secret+">; rel=\"next\"")
		w.Header().Set("Refresh", "0; url=https://h/p?k="+secret)
		w.WriteHeader(302)
	})
	require.NotContains(t, m["raw"], secret)
	require.Equal(t, []any{"https://REDACTED:REDACTED@idp.example/cb?state=REDACTED&page=2#REDACTED"}, m["http.request.header.referer"])
	require.Equal(t, []any{"/cb?code=REDACTED#REDACTED"}, m["http.response.header.location"])
	require.Equal(t, []any{"<https://h/p?page=2&k=REDACTED>; rel=\"next\""}, m["http.response.header.link"])
}

func TestRoutesOfOtherRouters(t *testing.T) {
	for pattern, want := range map[string]string{
		"GET /users/{id}":             "/users/{id}",
		"GET  \t/users/{id}":          "/users/{id}",
		"GET example.com/users/{id}":  "/users/{id}",
		"example.com/users/{id}":      "/users/{id}",
		"/articles/{slug:[a-z -]+}":   "/articles/{slug:[a-z -]+}",
		"api/{controller}":            "api/{controller}",
		"{tenant}/a b":                "{tenant}/a b",
		"/users/:id":                  "/users/:id",
		"":                            "",
		"PATCH /articles/{slug:[ -]}": "/articles/{slug:[ -]}",
	} {
		m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "http://example.com:8080/", nil),
			func(_ http.ResponseWriter, r *http.Request) { r.Pattern = pattern })
		if want == "" {
			require.NotContains(t, m, "http.route")
			continue
		}
		require.Equal(t, want, m["http.route"])
	}
}

// Tracing libraries return zeros while they are disabled, and Datadog's returns decimal
// numbers.
func TestAddedTraceIDs(t *testing.T) {
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, tt := range []struct {
		desc            string
		attrs           []slog.Attr
		trace, wantSpan any
	}{
		{"zeros", []slog.Attr{slog.String("trace_id", strings.Repeat("0", 32)), slog.String("span_id", strings.Repeat("0", 16))}, id, span},
		{"empty", []slog.Attr{slog.String("trace_id", ""), slog.String("span_id", "")}, id, span},
		{"a zero of Datadog's", []slog.Attr{slog.String("trace_id", "0"), slog.String("span_id", "0")}, id, span},
		{"a span of the same trace", []slog.Attr{slog.String("span_id", "00f067aa0ba902b7")}, id, "00f067aa0ba902b7"},
		{"another trace", []slog.Attr{slog.String("trace_id", "1234567890123456789"), slog.String("span_id", "42")}, "1234567890123456789", "42"},
		{"another trace, the span first", []slog.Attr{slog.String("span_id", "42"), slog.String("trace_id", "1234567890123456789")}, "1234567890123456789", "42"},
		{"another trace alone", []slog.Attr{slog.String("trace_id", "1234567890123456789")}, "1234567890123456789", nil},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Traceparent", "00-"+id+"-"+span+"-01")
			m, _ := serve(t, logging.Config{}, r, func(_ http.ResponseWriter, r *http.Request) {
				logging.Add(r.Context(), tt.attrs...)
			})
			require.Equal(t, tt.trace, m["trace_id"])
			require.Equal(t, tt.wantSpan, m["span_id"])
		})
	}
}

func TestDecimalTraceIDsAreSampledAtTheirShare(t *testing.T) {
	for _, share := range []float64{0.1, 0.5, 0.9} {
		l := newLines()
		h := logging.New(logging.Config{Logger: l.logger(), Sample: func(logging.Record) float64 { return share }})(
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				logging.Add(r.Context(), slog.String("trace_id", r.URL.Query().Get("id")))
			}))
		const requests = 2000
		for i := range uint64(requests) {
			id := strconv.FormatUint(1<<62+i*0x9e3779b97f4a7c15>>2, 10)
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/?id="+id, nil))
			if i%500 == 0 {
				for len(l.wrote) > 0 {
					<-l.wrote
				}
			}
		}
		kept := strings.Count(string(l.buf.take()), "\n")
		for len(l.wrote) > 0 {
			<-l.wrote
		}
		require.InDelta(t, share*requests, kept, 0.05*requests)
	}
}
