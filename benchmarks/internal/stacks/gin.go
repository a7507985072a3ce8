package stacks

import (
	"io"
	"net/http"
	"time"

	gintimeout "github.com/gin-contrib/timeout"
	"github.com/gin-gonic/gin"
	sloggin "github.com/samber/slog-gin"
)

// ginEngine serves h under / with mws before it.
func ginEngine(h gin.HandlerFunc, mws ...gin.HandlerFunc) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.Use(mws...)
	e.GET("/", h)
	e.POST("/", h)
	return e
}

func ginHandler(h Handler) gin.HandlerFunc { return gin.WrapH(bare(h)) }

func ginBare(h Handler) http.Handler { return ginEngine(ginHandler(h)) }

// ginStack bounds the body by hand: Gin has nothing for it.
func ginStack() Stack {
	return Stack{Name: Gin, Bare: ginBare, Status: "response.status",
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
	return Stack{Name: "Bulwark around Gin", Bare: ginBare,
		New: func(cfg Config, h Handler) http.Handler { return around(cfg)(ginBare(h)) }}
}
