package stacks

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	echo4 "github.com/labstack/echo/v4"
	echo4middleware "github.com/labstack/echo/v4/middleware"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

// echo5Instance returns an Echo that serves h inside mws. Echo turns the errors
// that h returns into responses.
func echo5Instance(log *slog.Logger, h Handler, mws ...echo.MiddlewareFunc) http.Handler {
	e := echo.New()
	e.Logger = log
	e.Use(mws...)
	serve := func(c *echo.Context) error { return h(c.Response(), c.Request()) }
	e.GET(ginRoute, serve)
	e.POST(ginRoute, serve)
	return e
}

func echo5Bare(h Handler) http.Handler { return echo5Instance(nowhere, h) }

func echo5Stack() Stack {
	return Stack{Name: Echo5, Framework: "Echo v5", Bare: echo5Bare, Status: "status",
		New: func(cfg Config, h Handler) http.Handler {
			mws := []echo.MiddlewareFunc{middleware.RequestLogger(), middleware.Recover(), middleware.ContextTimeout(cfg.Limit)}
			if cfg.Decoded > 0 {
				mws = append(mws, middleware.DecompressWithConfig(middleware.DecompressConfig{MaxDecompressedSize: cfg.Decoded}))
			}
			return echo5Instance(jsonTo(cfg.Log), h, append(mws, middleware.BodyLimit(cfg.Body))...)
		}}
}

func bulwarkInEcho() Stack {
	return Stack{Name: "Bulwark around Echo v5", Framework: "Echo v5", Bare: echo5Bare,
		New: func(cfg Config, h Handler) http.Handler { return around(cfg)(echo5Bare(h)) }}
}

func echo4Instance(h Handler, mws ...echo4.MiddlewareFunc) http.Handler {
	e := echo4.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(mws...)
	serve := func(c echo4.Context) error { return h(c.Response(), c.Request()) }
	e.GET(ginRoute, serve)
	e.POST(ginRoute, serve)
	return e
}

// bodySize formats a size for Echo v4.
func bodySize(n int64) string { return strconv.FormatInt(n, 10) + "B" }

func echo4Stack() Stack {
	return Stack{Name: Echo4, Framework: "Echo v4", Status: "status",
		Bare: func(h Handler) http.Handler { return echo4Instance(h) },
		New: func(cfg Config, h Handler) http.Handler {
			mws := []echo4.MiddlewareFunc{echo4Logger(jsonTo(cfg.Log)), echo4middleware.Recover(), echo4Deadline(cfg.Limit)}
			if cfg.Decoded > 0 {
				mws = append(mws, echo4middleware.Decompress())
			}
			return echo4Instance(h, append(mws, echo4middleware.BodyLimit(bodySize(cfg.Body)))...)
		}}
}

func echo4Deadline(limit time.Duration) echo4.MiddlewareFunc {
	return echo4middleware.ContextTimeout(limit)
}

// echo4Logger is RequestLogger with the given logger. RequestLogger itself writes
// to slog's default logger.
func echo4Logger(log *slog.Logger) echo4.MiddlewareFunc {
	return echo4middleware.RequestLoggerWithConfig(echo4middleware.RequestLoggerConfig{
		LogLatency: true, LogRemoteIP: true, LogHost: true, LogMethod: true, LogURI: true, LogRequestID: true,
		LogUserAgent: true, LogStatus: true, LogError: true, LogContentLength: true, LogResponseSize: true,
		HandleError: true,
		LogValuesFunc: func(_ echo4.Context, v echo4middleware.RequestLoggerValues) error {
			level, attrs := slog.LevelInfo, []slog.Attr{
				slog.String("method", v.Method),
				slog.String("uri", v.URI),
				slog.Int("status", v.Status),
				slog.Duration("latency", v.Latency),
				slog.String("host", v.Host),
				slog.String("bytes_in", v.ContentLength),
				slog.Int64("bytes_out", v.ResponseSize),
				slog.String("user_agent", v.UserAgent),
				slog.String("remote_ip", v.RemoteIP),
				slog.String("request_id", v.RequestID),
			}
			if v.Error != nil {
				level, attrs = slog.LevelError, append(attrs, slog.String("error", v.Error.Error()))
			}
			log.LogAttrs(context.Background(), level, "REQUEST", attrs...)
			return nil
		},
	})
}
