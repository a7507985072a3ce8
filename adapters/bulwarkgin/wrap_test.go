package bulwarkgin_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
)

func pass(next http.Handler) http.Handler { return next }

// TestWrapKeepsGinsWriter runs each handler bare and wrapped: neither the client nor the
// handler sees a difference.
func TestWrapKeepsGinsWriter(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("a file"), 0o600))

	for _, tc := range []struct {
		desc  string
		calls string // what the middleware's writer sees
		h     func(c *gin.Context, look func())
		path  string
	}{
		{desc: "nothing", calls: "", h: func(*gin.Context, func()) {}},
		{desc: "status only", calls: "header 204", h: func(c *gin.Context, _ func()) { c.Status(204) }},
		{desc: "last status wins", calls: "header 202; write x", h: func(c *gin.Context, look func()) {
			c.Status(404)
			look()
			c.Writer.WriteHeader(202)
			look()
			_, _ = c.Writer.Write([]byte("x"))
		}},
		{desc: "first byte decides", calls: "header 201; write ab; write c", h: func(c *gin.Context, look func()) {
			c.Status(201)
			_, _ = c.Writer.WriteString("ab")
			look()
			c.Status(500)
			look()
			_, _ = c.Writer.Write([]byte("c"))
		}},
		{desc: "WriteHeaderNow", calls: "header 203", h: func(c *gin.Context, look func()) {
			c.Status(203)
			c.Writer.WriteHeaderNow()
			look()
			c.Status(500)
			c.Writer.WriteHeaderNow()
		}},
		{desc: "empty write", calls: "header 200; write ", h: func(c *gin.Context, _ func()) { _, _ = c.Writer.Write(nil) }},
		{desc: "invalid status", calls: "", h: func(c *gin.Context, _ func()) { c.Status(-1) }},
		{desc: "-1 renders with the status before", calls: `header 409; write {"a":1}`, h: func(c *gin.Context, look func()) {
			c.Status(409)
			c.JSON(-1, gin.H{"a": 1})
			look()
		}},
		{desc: "JSON", calls: `header 409; write {"a":1}`, h: func(c *gin.Context, _ func()) { c.JSON(409, gin.H{"a": 1}) }},
		{desc: "no body for 304", calls: "header 304", h: func(c *gin.Context, _ func()) { c.JSON(304, gin.H{"a": 1}) }},
		{desc: "AbortWithStatus", calls: "header 401", h: func(c *gin.Context, _ func()) {
			c.AbortWithStatus(401)
			c.Header("Too", "late")
		}},
		{desc: "AbortWithStatus after a body", calls: "header 200; write x", h: func(c *gin.Context, look func()) {
			c.String(200, "x")
			c.AbortWithStatus(401)
			look()
		}},
		{desc: "AbortWithStatusJSON", calls: `header 401; write {"a":1}`, h: func(c *gin.Context, _ func()) {
			c.AbortWithStatusJSON(401, gin.H{"a": 1})
		}},
		{desc: "redirect", calls: "header 302; write <a href=\"/there\">Found</a>.\n\n", h: func(c *gin.Context, _ func()) { c.Redirect(302, "/there") }},
		{desc: "flush", calls: "header 200; write one; write two", h: func(c *gin.Context, look func()) {
			_, _ = c.Writer.WriteString("one")
			c.Writer.Flush()
			look()
			_, _ = c.Writer.WriteString("two")
		}},
		{desc: "stream", calls: "header 200; write a", h: func(c *gin.Context, _ func()) {
			c.Stream(func(w io.Writer) bool { _, _ = w.Write([]byte("a")); return false })
		}},
		{desc: "static file", calls: "header 200; write a file", path: "static/a.txt"},
		{desc: "no such file", calls: "header 404", path: "static/b.txt"},
		{desc: "no route", calls: "header 404", path: "nowhere"},
		{desc: "no method", calls: "header 405", path: "post"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			var seen []string
			serve := func(use ...gin.HandlerFunc) answer {
				seen = nil
				e := gin.New()
				e.HandleMethodNotAllowed = true
				// What outer Gin middleware sees.
				look := func(c *gin.Context) {
					seen = append(seen, fmt.Sprint(c.Writer.Status(), c.Writer.Size(), c.Writer.Written()))
				}
				e.Use(func(c *gin.Context) { c.Next(); look(c) })
				e.Use(use...)
				e.GET("/", func(c *gin.Context) { look(c); tc.h(c, func() { look(c) }); look(c) })
				e.POST("/post", func(*gin.Context) {})
				e.Static("/static", dir)
				return do(t, e, "GET", "/"+tc.path)
			}
			want, wantSeen := serve(), seen
			var calls string
			for _, mw := range []func(http.Handler) http.Handler{pass, spy(&calls)} {
				assert.Equal(t, want, serve(bulwarkgin.Wrap(mw)))
				assert.Equal(t, wantSeen, seen)
				serve(bulwarkgin.Wrap(mw), bulwarkgin.Wrap(pass)) // nested
				assert.Equal(t, wantSeen, seen)
			}
			assert.Equal(t, tc.calls, calls)
		})
	}
}

func TestWrapAbortsIfNextDoesNotRun(t *testing.T) {
	refuse := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "full", 503) })
	}
	e := gin.New()
	e.GET("/", bulwarkgin.Wrap(refuse), func(c *gin.Context) { c.String(200, "ran") })

	got := do(t, e, "GET", "/")
	assert.Equal(t, 503, got.status)
	assert.Equal(t, "full\n", got.body)
}

func TestWrapAbortsAfterARecoveredPanic(t *testing.T) {
	recoverer := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					http.Error(w, "recovered", 500)
				}
			}()
			next.ServeHTTP(w, r)
		})
	}
	e := gin.New()
	var after gin.ResponseWriter
	var outer gin.ResponseWriter
	e.Use(func(c *gin.Context) { outer = c.Writer; c.Next(); after = c.Writer })
	e.GET("/", bulwarkgin.Wrap(recoverer), func(*gin.Context) { panic("boom") },
		func(c *gin.Context) { c.String(200, "ran after the panic") })

	got := do(t, e, "GET", "/")
	assert.Equal(t, 500, got.status)
	assert.Equal(t, "recovered\n", got.body)
	assert.Same(t, outer, after, "the writer is put back")
}

// net/http panics for an invalid status. The response to that panic has its own status,
// which Gin's writer ignores once it counts as written.
func TestWrapPanicsForAnInvalidStatus(t *testing.T) {
	recoverer := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { http.Error(w, fmt.Sprint(recover()), 500) }()
			next.ServeHTTP(w, r)
		})
	}
	for _, code := range []int{99, 1000} {
		e := gin.New()
		e.GET("/", bulwarkgin.Wrap(recoverer), func(c *gin.Context) { c.String(code, "body") })

		got := do(t, e, "GET", "/")
		assert.Equal(t, 500, got.status)
		assert.Equal(t, fmt.Sprintf("invalid WriteHeader code %d\n", code), got.body)
	}
}

func TestWrapLeavesTheRequestAndPutsTheWriterBack(t *testing.T) {
	type key struct{}
	tag := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "/users/:id", r.Pattern, "the middleware sees the route")
			next.ServeHTTP(&spyWriter{ResponseWriter: w}, r.WithContext(context.WithValue(r.Context(), key{}, "tagged")))
		})
	}
	e := gin.New()
	e.Use(func(c *gin.Context) {
		outer := c.Writer
		c.Next()
		assert.Same(t, outer, c.Writer)
		assert.Equal(t, "tagged", c.Request.Context().Value(key{}))
	})
	e.GET("/users/:id", bulwarkgin.Wrap(tag), func(c *gin.Context) {
		assert.Equal(t, "tagged", c.Request.Context().Value(key{}))
		assert.IsType(t, &spyWriter{}, c.Writer.(interface{ Unwrap() http.ResponseWriter }).Unwrap())
		c.Status(204)
	})

	assert.Equal(t, 204, do(t, e, "GET", "/users/7").status)
}

func TestErrorsInsideWrapIsSeenByTheMiddleware(t *testing.T) {
	var calls string
	e := gin.New()
	e.Use(bulwarkgin.Wrap(spy(&calls)), bulwarkgin.Errors(&spyMapper{status: 418}))
	e.GET("/", bulwarkgin.Handler(func(*gin.Context) error { return errLast }))

	do(t, e, "GET", "/")
	assert.Equal(t, "header 418; write mapped", calls)
}

func TestWrapSendsTheHeaderWhenTheMiddlewareDoes(t *testing.T) {
	sent := make(chan struct{})
	early := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(202)
			w.Header().Set("Too", "late")
			assert.NoError(t, http.NewResponseController(w).Flush())
			assert.NoError(t, http.NewResponseController(w).SetWriteDeadline(time.Time{}), "reaches net/http")
			<-sent
		})
	}
	e := gin.New()
	e.GET("/", bulwarkgin.Wrap(early))
	srv := httptest.NewServer(e)
	defer srv.Close()

	var hints []int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { hints = append(hints, code); return nil },
	})
	req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, http.NoBody)
	require.NoError(t, err)
	res, err := srv.Client().Do(req)
	require.NoError(t, err)
	close(sent)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, []int{103}, hints)
	assert.Equal(t, 202, res.StatusCode)
	assert.Empty(t, res.Header.Get("Too"))
}

// TestWrapHijack switches protocols as coder/websocket does: the 101 through
// the writer, then the connection.
func TestWrapHijack(t *testing.T) {
	var calls, lateCalls string
	e := gin.New()
	e.GET("/", bulwarkgin.Wrap(spy(&calls)), func(c *gin.Context) {
		c.Header("Connection", "Upgrade")
		c.Header("Upgrade", "echo")
		c.Status(http.StatusSwitchingProtocols)
		c.Writer.WriteHeaderNow()
		conn, rw, err := c.Writer.Hijack()
		if !assert.NoError(t, err) {
			return
		}
		assert.True(t, c.Writer.Written())
		defer conn.Close()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString(line)
		_ = rw.Flush()
	})
	e.GET("/late", bulwarkgin.Wrap(spy(&lateCalls)), func(c *gin.Context) {
		c.String(200, "body")
		_, _, err := c.Writer.Hijack()
		assert.Error(t, err)
	})
	srv := httptest.NewServer(e)
	defer srv.Close()

	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n")
	require.NoError(t, err)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	assert.Equal(t, 101, res.StatusCode)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "hello\n", line)
	assert.Equal(t, "body", do(t, e, "GET", "/late").body)
}

// TestWrapHijackUnsupported: if the connection cannot be hijacked, as on HTTP/2, the
// handler can still respond.
func TestWrapHijackUnsupported(t *testing.T) {
	hide := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
		})
	}
	for _, tc := range []struct {
		desc  string
		http2 bool
		use   []gin.HandlerFunc
	}{
		{"a middleware hides it", false, []gin.HandlerFunc{bulwarkgin.Wrap(hide)}},
		{"HTTP/2", true, []gin.HandlerFunc{bulwarkgin.Wrap(pass)}},
		{"HTTP/2, nested", true, []gin.HandlerFunc{bulwarkgin.Wrap(pass), bulwarkgin.Wrap(pass)}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			errs := &spyMapper{status: 426}
			e := gin.New()
			e.Use(tc.use...)
			e.Use(bulwarkgin.Errors(errs))
			e.GET("/", bulwarkgin.Handler(func(c *gin.Context) error {
				_, _, err := c.Writer.Hijack()
				return err
			}))
			srv := httptest.NewUnstartedServer(e)
			srv.EnableHTTP2 = tc.http2
			srv.StartTLS()
			defer srv.Close()
			res, err := srv.Client().Get(srv.URL)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())

			assert.Equal(t, 426, res.StatusCode)
			require.Len(t, errs.written, 1)
			assert.ErrorIs(t, errs.written[0], http.ErrNotSupported)
		})
	}
}

// A failed flush is not a success for the middleware.
func TestWrapReportsAFailedFlush(t *testing.T) {
	e := gin.New()
	var got error
	e.GET("/", bulwarkgin.Wrap(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			got = http.NewResponseController(w).Flush()
		})
	}), func(c *gin.Context) { c.String(200, "half") })
	e.ServeHTTP(unflushable{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil))
	assert.ErrorIs(t, got, io.ErrClosedPipe)
}

type unflushable struct{ *httptest.ResponseRecorder }

func (unflushable) FlushError() error { return io.ErrClosedPipe }
