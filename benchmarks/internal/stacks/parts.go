package stacks

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go/failsafehttp"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httplog/v3"
	echo4middleware "github.com/labstack/echo/v4/middleware"
	echo5middleware "github.com/labstack/echo/v5/middleware"
	"github.com/rs/zerolog"
	sloggin "github.com/samber/slog-gin"
	sloghttp "github.com/samber/slog-http"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// Names of single parts that bounds speak of.
const (
	TimeoutHandler  = "http.TimeoutHandler"
	MaxBytesHandler = "http.MaxBytesHandler"
)

// of makes a Handler of what never fails.
func of(h http.Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// Deadlines are all ways of giving h a deadline.
func Deadlines(limit time.Duration, h http.Handler) []measure.Contender {
	return []measure.Contender{
		{Name: "bare", Handler: h},
		{Name: Floor, Handler: deadlineByHand(limit, h)},
		{Name: Bulwark, Handler: timeout.New(timeout.Config{Limit: limit})(h)},
		{Name: TimeoutHandler, Handler: http.TimeoutHandler(h, limit, "")},
		{Name: "chi Timeout", Handler: middleware.Timeout(limit)(h)},
		{Name: "failsafe-go Timeout", Handler: failsafehttp.NewHandler(h, failsafetimeout.New[*http.Response](limit))},
		{Name: "bare Gin", Handler: ginBare(of(h))},
		{Name: "gin-contrib/timeout", Handler: ginEngine(gin.WrapH(h), ginDeadline(limit)), Base: "bare Gin"},
		{Name: "bare Echo v4", Handler: echo4Instance(of(h))},
		{Name: "Echo v4 ContextTimeout", Handler: echo4Instance(of(h), echo4Deadline(limit)), Base: "bare Echo v4"},
		{Name: "bare Echo v5", Handler: echo5Bare(of(h))},
		{Name: "Echo v5 ContextTimeout", Handler: echo5Instance(nowhere, of(h), echo5middleware.ContextTimeout(limit)), Base: "bare Echo v5"},
	}
}

// Bodies are all ways of bounding the body that h reads. chi's sets the field of
// the server's own request, where http.MaxBytesHandler makes a copy; Echo's
// takes its reader from a pool.
func Bodies(limit int64, h http.Handler) []measure.Contender {
	return []measure.Contender{
		{Name: "bare", Handler: h},
		{Name: MaxBytesHandler, Handler: http.MaxBytesHandler(h, limit)},
		{Name: Bulwark, Handler: limits.New(limits.Config{MaxBodyBytes: limit})(h)},
		{Name: "chi RequestSize", Handler: middleware.RequestSize(limit)(h)},
		{Name: "bare Echo v4", Handler: echo4Instance(of(h))},
		{Name: "Echo v4 BodyLimit", Handler: echo4Instance(of(h), echo4middleware.BodyLimit(bodySize(limit))), Base: "bare Echo v4"},
		{Name: "bare Echo v5", Handler: echo5Bare(of(h))},
		{Name: "Echo v5 BodyLimit", Handler: echo5Instance(nowhere, of(h), echo5middleware.BodyLimit(limit)), Base: "bare Echo v5"},
	}
}

// Permits are the ways of bounding the requests in flight, with room for this one.
func Permits(n int, h http.Handler) []measure.Contender {
	return []measure.Contender{
		{Name: "bare", Handler: h},
		{Name: Bulwark, Handler: limits.New(limits.Config{MaxInFlight: n})(h)},
		{Name: "chi Throttle", Handler: middleware.Throttle(n)(h)},
	}
}

// Loggers are all ways of logging what h does, as JSON to out, or not, where what
// they log is under the logger's level. What the peers put into their lines is as
// their documentation has it, with a request id where they can make one.
func Loggers(out io.Writer, off bool, h http.Handler) []measure.Contender {
	log, zero := jsonTo(out), zerolog.New(out).With().Timestamp().Logger()
	if off {
		log, zero = slog.New(slog.DiscardHandler), zero.Level(zerolog.Disabled)
	}
	return []measure.Contender{
		{Name: "bare", Handler: h},
		{Name: Floor, Handler: logByHand(log, h)},
		{Name: Bulwark, Handler: logging.New(logging.Config{Logger: log})(h)},
		{Name: "slog-http", Handler: sloghttp.NewWithConfig(log, slogHTTP())(h)},
		{Name: "httplog", Handler: httplog.RequestLogger(log, &httplog.Options{Schema: httplog.SchemaOTEL})(h)},
		{Name: "hlog", Handler: inHlog(zero, h)},
		{Name: "bare Gin", Handler: ginBare(of(h))},
		{Name: "slog-gin", Handler: ginEngine(gin.WrapH(h), sloggin.New(log)), Base: "bare Gin"},
		{Name: "Gin's own, which is text", Handler: ginEngine(gin.WrapH(h), ginLogger(out, off)), Base: "bare Gin"},
		{Name: "bare Echo v4", Handler: echo4Instance(of(h))},
		{Name: "Echo v4 RequestLogger", Handler: echo4Instance(of(h), echo4middleware.RequestID(), echo4Logger(log)), Base: "bare Echo v4"},
		{Name: "bare Echo v5", Handler: echo5Bare(of(h))},
		{Name: "Echo v5 RequestLogger", Handler: echo5Instance(log, of(h), echo5middleware.RequestID(), echo5middleware.RequestLogger()), Base: "bare Echo v5"},
	}
}

// ginLogger has no levels: it is off where it skips.
func ginLogger(out io.Writer, off bool) gin.HandlerFunc {
	return gin.LoggerWithConfig(gin.LoggerConfig{Output: out, Skip: func(*gin.Context) bool { return off }})
}
