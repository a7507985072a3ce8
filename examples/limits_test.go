package examples_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
	"github.com/bulwark-go/bulwark/limits"
)

type middleware = func(http.Handler) http.Handler

// The routes limit the body to 10, 50 and 5 bytes, by Gin and by Echo. around is put
// inside the engine, unless it is nil.
func inGin(around, raise, lower middleware) http.Handler {
	gin.SetMode(gin.TestMode)
	e := gin.New()
	if around != nil {
		e.Use(bulwarkgin.Wrap(around))
	}
	read := func(c *gin.Context) {
		if _, err := io.Copy(io.Discard, c.Request.Body); err != nil {
			c.Status(http.StatusRequestEntityTooLarge)
		}
	}
	e.POST("/", read)
	e.POST("/up", bulwarkgin.Wrap(raise), read)
	e.POST("/down", bulwarkgin.Wrap(lower), read)
	return e
}

func inEcho(around, raise, lower middleware) http.Handler {
	e := echo.New()
	if around != nil {
		e.Use(bulwarkecho.Wrap(around))
	}
	read := func(c *echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return c.NoContent(http.StatusRequestEntityTooLarge)
		}
		return c.NoContent(http.StatusOK)
	}
	e.POST("/", read)
	e.POST("/up", read, bulwarkecho.Wrap(raise))
	e.POST("/down", read, bulwarkecho.Wrap(lower))
	return e
}

// TestLimitsInEngines: limits hold around the engine and inside it, and a route raises
// or lowers them.
func TestLimitsInEngines(t *testing.T) {
	limit := limits.New(limits.Config{MaxBodyBytes: 10, BodyCeiling: 100})
	raise := limits.Override(limits.BodyLimits{MaxBodyBytes: 50})
	lower := limits.Override(limits.BodyLimits{MaxBodyBytes: 5})
	for name, h := range map[string]http.Handler{
		"around gin": limit(inGin(nil, raise, lower)), "inside gin": inGin(limit, raise, lower),
		"around echo": limit(inEcho(nil, raise, lower)), "inside echo": inEcho(limit, raise, lower),
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(h)
			defer s.Close()
			for path, most := range map[string]int{"/": 10, "/up": 50, "/down": 5} {
				for _, declared := range []bool{true, false} {
					assert.Equal(t, 200, upload(t, s, path, most, declared), "%s, declared: %v", path, declared)
					assert.Equal(t, 413, upload(t, s, path, most+1, declared), "%s, declared: %v", path, declared)
				}
			}
		})
	}
}

func upload(t *testing.T, s *httptest.Server, path string, size int, declared bool) (status int) {
	t.Helper()
	var body io.Reader = strings.NewReader(strings.Repeat("x", size))
	if !declared {
		body = struct{ io.Reader }{body}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, body)
	require.NoError(t, err)
	res, err := s.Client().Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	return res.StatusCode
}
