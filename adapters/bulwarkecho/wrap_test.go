package bulwarkecho_test

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
	"testing"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
)

// TestWrapIsTransparent runs each handler bare and wrapped: the client sees no
// difference, and the middleware sees all of the response.
func TestWrapIsTransparent(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		method  string
		calls   string
		handler echo.HandlerFunc
	}{
		{desc: "nothing", handler: func(*echo.Context) error { return nil }},
		{desc: "string", calls: "header 201; write ab", handler: func(c *echo.Context) error { return c.String(201, "ab") }},
		{desc: "JSON", calls: "header 200; write \"x\"\n", handler: func(c *echo.Context) error { return c.JSON(200, "x") }},
		{desc: "no content", calls: "header 204", handler: func(c *echo.Context) error { return c.NoContent(204) }},
		{desc: "error", calls: "header 418; write mapped", handler: func(*echo.Context) error { return errCause }},
		{desc: "status error", calls: "header 404; write mapped", handler: func(*echo.Context) error { return echo.ErrNotFound }},
		{desc: "late error", calls: "header 200; write ab", handler: func(c *echo.Context) error {
			_ = c.String(200, "ab")
			return errCause
		}},
		{desc: "hooks", calls: "header 200; write ab", handler: func(c *echo.Context) error {
			res, err := echo.UnwrapResponse(c.Response())
			if err != nil {
				return err
			}
			res.Before(func() { res.Header().Set("Before", "seen") })
			return c.String(200, "ab")
		}},
		{desc: "JSON that cannot be encoded", calls: "header 418; write mapped", handler: func(c *echo.Context) error {
			return c.JSON(200, func() {})
		}},
		{desc: "HEAD", method: "HEAD", calls: "header 200; write ab", handler: func(c *echo.Context) error { return c.String(200, "ab") }},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			var got error
			serve := func(use ...echo.MiddlewareFunc) (status int, header http.Header, body string) {
				errs := &spyMapper{}
				defer func() { assert.LessOrEqual(t, len(errs.written), 1, "rendered once") }()
				e := newEcho(t, bulwarkecho.ErrorHandler(errs))
				e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
					return func(c *echo.Context) error { got = next(c); return got }
				})
				e.GET("/", tc.handler, use...)
				e.HEAD("/", tc.handler, use...)
				res, body := do(t, e, tc.method, "/")
				res.Header.Del("Date")
				return res.StatusCode, res.Header, body
			}
			status, header, body := serve()
			want := got
			var calls string
			wStatus, wHeader, wBody := serve(bulwarkecho.Wrap(spy(&calls)))
			assert.Equal(t, status, wStatus)
			assert.Equal(t, header, wHeader)
			assert.Equal(t, body, wBody)
			assert.Equal(t, want, got, "the error passes on unchanged")
			assert.Equal(t, tc.calls, calls)

			pass := func(next http.Handler) http.Handler { return next }
			wStatus, wHeader, wBody = serve(bulwarkecho.Wrap(pass), bulwarkecho.Wrap(spy(&calls)), bulwarkecho.Wrap(pass))
			assert.Equal(t, []any{status, header, body}, []any{wStatus, wHeader, wBody}, "nested")
			assert.Equal(t, want, got)
			assert.Equal(t, tc.calls, calls)
		})
	}
}

// Echo's writer treats a 103 as the final status. A 103 that a wrapped middleware or a
// handler sends below c.Response() does not become Echo's status.
func TestWrapPassesEarlyHints(t *testing.T) {
	hint := func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) }
	early := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hint(w)
			next.ServeHTTP(w, r)
		})
	}
	compressing := func(next echo.HandlerFunc) echo.HandlerFunc { // as Echo's Gzip puts its own writer in between
		return func(c *echo.Context) error {
			c.SetResponse(&spyWriter{ResponseWriter: c.Response()})
			return next(c)
		}
	}
	e := newEcho(t, bulwarkecho.ErrorHandler(&spyMapper{}))
	e.GET("/", func(c *echo.Context) error {
		hint(c.Response().(interface{ Unwrap() http.ResponseWriter }).Unwrap())
		return echo.ErrNotFound
	}, bulwarkecho.Wrap(early), compressing, bulwarkecho.Wrap(early))
	srv := httptest.NewServer(e)
	defer srv.Close()

	var hints []int
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { hints = append(hints, code); return nil },
	}), http.MethodGet, srv.URL, http.NoBody)
	require.NoError(t, err)
	res, err := srv.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, []int{103, 103, 103}, hints)
	assert.Equal(t, 404, res.StatusCode)
}

// If a middleware responds instead of the handler, its response is final, whatever the
// handler returns.
func TestWrapAnsweredByTheMiddleware(t *testing.T) {
	errs := &spyMapper{}
	e := newEcho(t, bulwarkecho.ErrorHandler(errs))
	instead := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			http.Error(w, "instead", 504)
		})
	}
	e.GET("/", func(*echo.Context) error { return errCause }, bulwarkecho.Wrap(instead))

	res, body := do(t, e, "GET", "/")
	assert.Equal(t, 504, res.StatusCode)
	assert.Equal(t, "instead\n", body)
	assert.Equal(t, []error{errCause}, errs.noted)
}

func TestWrapIfNextDoesNotRun(t *testing.T) {
	e := newEcho(t, bulwarkecho.ErrorHandler(&spyMapper{}))
	refuse := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "full", 503) })
	}
	e.GET("/", func(c *echo.Context) error { return c.String(200, "ran") }, bulwarkecho.Wrap(refuse))

	res, body := do(t, e, "GET", "/")
	assert.Equal(t, 503, res.StatusCode)
	assert.Equal(t, "full\n", body)
}

func TestWrapPutsTheResponseBackAfterAPanic(t *testing.T) {
	e := newEcho(t, bulwarkecho.ErrorHandler(&spyMapper{}))
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
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			outer := c.Response()
			err := next(c)
			assert.NoError(t, err)
			assert.Same(t, outer, c.Response())
			return err
		}
	})
	e.GET("/", func(*echo.Context) error { panic("boom") }, bulwarkecho.Wrap(recoverer))

	res, body := do(t, e, "GET", "/")
	assert.Equal(t, 500, res.StatusCode)
	assert.Equal(t, "recovered\n", body)
}

// owner is like a writer that looks at the request when its Header method is called.
type owner struct {
	http.ResponseWriter
	req  *http.Request
	seen []string
}

func (o *owner) Header() http.Header {
	o.seen = append(o.seen, o.req.Pattern)
	return o.ResponseWriter.Header()
}

func TestRoute(t *testing.T) {
	e := newEcho(t, bulwarkecho.ErrorHandler(&spyMapper{}))
	e.Use(bulwarkecho.Route)
	var o *owner
	var before []string
	e.GET("/users/:id", func(c *echo.Context) error {
		before = append(before, o.seen...)
		return c.NoContent(204)
	})

	res, _ := do(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o = &owner{ResponseWriter: w, req: r}
		e.ServeHTTP(o, r)
	}), "GET", "/users/7")
	assert.Equal(t, 204, res.StatusCode)
	assert.Equal(t, []string{"/users/:id"}, before)
}

func TestWrapGivesTheRouteAndLeavesTheRequest(t *testing.T) {
	type key struct{}
	e := newEcho(t, bulwarkecho.ErrorHandler(&spyMapper{}))
	tag := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "/users/:id", r.Pattern)
			assert.Equal(t, "7", r.PathValue("id"))
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "tagged")))
		})
	}
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			defer func() { assert.Equal(t, "tagged", c.Request().Context().Value(key{})) }()
			return next(c)
		}
	})
	var o *owner
	e.GET("/users/:id", func(c *echo.Context) error {
		assert.Contains(t, o.seen, "/users/:id", "known before the handler runs")
		return c.NoContent(204)
	}, bulwarkecho.Wrap(tag))

	res, _ := do(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o = &owner{ResponseWriter: w, req: r}
		e.ServeHTTP(o, r)
	}), "GET", "/users/7")
	assert.Equal(t, 204, res.StatusCode)
}

// Flush, deadlines and Hijack reach net/http through the middleware's writer.
func TestWrapHijack(t *testing.T) {
	var calls string
	e := newEcho(t, bulwarkecho.ErrorHandler(&spyMapper{}))
	e.GET("/", func(c *echo.Context) error {
		rc := http.NewResponseController(c.Response())
		assert.NoError(t, rc.SetReadDeadline(time.Time{}))
		c.Response().Header().Set("Connection", "Upgrade")
		c.Response().Header().Set("Upgrade", "echo")
		c.Response().WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := rc.Hijack()
		if err != nil {
			return err
		}
		defer conn.Close()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString(line)
		return rw.Flush()
	}, bulwarkecho.Wrap(spy(&calls)))
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
}

// A failed flush is not a success for the middleware.
func TestWrapReportsAFailedFlush(t *testing.T) {
	e := echo.New()
	var got error
	e.GET("/", func(c *echo.Context) error { return c.String(200, "half") }, bulwarkecho.Wrap(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			got = http.NewResponseController(w).Flush()
		})
	}))
	e.ServeHTTP(unflushable{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil))
	assert.ErrorIs(t, got, io.ErrClosedPipe)
}

type unflushable struct{ *httptest.ResponseRecorder }

func (unflushable) FlushError() error { return io.ErrClosedPipe }
