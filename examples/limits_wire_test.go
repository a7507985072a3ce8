package examples_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
)

// uploads are services that read a body of at most 1000 bytes, in the engines
// and with limits outside of them or on the route.
func uploads() map[string]http.Handler {
	gin.SetMode(gin.ReleaseMode)
	errs := errmap.New(errmap.Config{Render: errmap.ErrorJSON})
	limited := limits.New(limits.Config{
		MaxBodyBytes: 1000, MinBodyRate: 1 << 20, BodyGrace: 100 * time.Millisecond, ErrorHandler: errs.Write,
	})
	inGin := func(mws ...gin.HandlerFunc) http.Handler {
		e := gin.New()
		e.Use(bulwarkgin.Errors(errs))
		e.Use(mws...)
		e.POST("/", bulwarkgin.Handler(func(c *gin.Context) error {
			_, err := io.ReadAll(c.Request.Body)
			return err
		}))
		return e
	}
	inEcho := func(mws ...echo.MiddlewareFunc) http.Handler {
		e := echo.New()
		e.HTTPErrorHandler = bulwarkecho.ErrorHandler(errs)
		e.Use(mws...)
		e.POST("/", func(c *echo.Context) error {
			if _, err := io.ReadAll(c.Request().Body); err != nil {
				return err
			}
			return c.NoContent(http.StatusOK)
		})
		return e
	}
	return map[string]http.Handler{
		"gin":              limited(inGin()),
		"gin, on a route":  inGin(bulwarkgin.Wrap(limited)),
		"echo":             limited(inEcho()),
		"echo, on a route": inEcho(bulwarkecho.Wrap(limited)),
	}
}

// A 413 and a 408 reach a client that stalls, that is still sending and that
// asked first, also out of an engine.
func TestRefusalsLeaveTheEngines(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: test\r\n"
	const tooLarge, tooSlow = `{"error":"request entity too large"}`, `{"error":"request timeout"}`
	for desc, h := range uploads() {
		srv := httptest.NewServer(h)
		for _, tc := range []struct {
			desc, send string
			status     int
			body       string
			continued  bool // a 100 comes first
		}{
			{"declared, stalls", head + "Content-Length: 5000\r\n\r\n", 413, tooLarge, false},
			{"declared, sends it all", head + "Content-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000), 413, tooLarge, false},
			{"declared, asks first", head + "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n", 413, tooLarge, false},
			{"chunked, stalls past the limit", head + "Transfer-Encoding: chunked\r\n\r\n5dc\r\n" + strings.Repeat("x", 1500) + "\r\n", 413, tooLarge, false},
			{"chunked, asks first", head + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n5dc\r\n" + strings.Repeat("x", 1500) + "\r\n", 413, tooLarge, true},
			{"trickles", head + "Content-Length: 500\r\n\r\nx", 408, tooSlow, false},
		} {
			t.Run(desc+", "+tc.desc, func(t *testing.T) {
				c, err := net.Dial("tcp", srv.Listener.Addr().String())
				require.NoError(t, err)
				defer c.Close()
				require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
				_, err = io.WriteString(c, tc.send)
				require.NoError(t, err)
				in := bufio.NewReader(c)
				res, err := http.ReadResponse(in, nil)
				require.NoError(t, err)
				if tc.continued {
					require.Equal(t, http.StatusContinue, res.StatusCode)
					res, err = http.ReadResponse(in, nil)
					require.NoError(t, err)
				}
				assert.Equal(t, tc.status, res.StatusCode)
				assert.True(t, res.Close, "Connection: close")
				body, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				assert.Equal(t, tc.body, string(body))
			})
		}
		srv.Close()
	}
}

// On HTTP/2 only the stream ends: the connection takes the next request.
func TestRefusalsKeepTheConnection(t *testing.T) {
	for desc, h := range uploads() {
		t.Run(desc, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(h)
			srv.EnableHTTP2 = true
			srv.StartTLS()
			defer srv.Close()
			post := func(body io.Reader) (status int, reused bool) {
				req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
				}), http.MethodPost, srv.URL, body)
				require.NoError(t, err)
				res, err := srv.Client().Do(req)
				require.NoError(t, err)
				_ = res.Body.Close()
				assert.Equal(t, 2, res.ProtoMajor)
				return res.StatusCode, reused
			}
			for range 2 {
				status, _ := post(bytes.NewReader(make([]byte, 5000)))
				assert.Equal(t, 413, status)
				status, _ = post(io.MultiReader(bytes.NewReader(make([]byte, 5000)))) // no length
				assert.Equal(t, 413, status)
				status, reused := post(bytes.NewReader(make([]byte, 500)))
				assert.Equal(t, 200, status)
				assert.True(t, reused)
			}
		})
	}
}
