package stacks

import (
	"io"
	"net/http"
	"time"

	gintimeout "github.com/gin-contrib/timeout"
	"github.com/gin-gonic/gin"
	sloggin "github.com/samber/slog-gin"
)

// ginRoute is the route in the syntax of Gin and Echo.
const ginRoute = "/users/:id"

// ginEngine returns an engine that serves h inside mws.
func ginEngine(h gin.HandlerFunc, mws ...gin.HandlerFunc) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.Use(mws...)
	e.GET(ginRoute, h)
	e.POST(ginRoute, h)
	return e
}

func ginHandler(h Handler) gin.HandlerFunc { return gin.WrapH(answered(h)) }

func ginBare(h Handler) http.Handler { return ginEngine(ginHandler(h)) }

// ginStack bounds the body by hand, because Gin has no middleware for it.
func ginStack() Stack {
	return Stack{Name: Gin, Framework: "Gin", Bare: ginBare, Status: "response.status",
		New: func(cfg Config, h Handler) http.Handler {
			return ginEngine(ginHandler(h),
				sloggin.New(jsonTo(cfg.Log)),
				gin.RecoveryWithWriter(io.Discard),
				ginDeadline(cfg.Limit),
				func(c *gin.Context) { c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, cfg.Body) },
			)
		}}
}

func ginDeadline(limit time.Duration) gin.HandlerFunc {
	return gintimeout.New(gintimeout.WithTimeout(limit))
}

func bulwarkInGin() Stack {
	return Stack{Name: "Bulwark around Gin", Framework: "Gin", Bare: ginBare,
		New: func(cfg Config, h Handler) http.Handler { return around(cfg)(ginBare(h)) }}
}
