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

// The names of single parts that bounds refer to.
const (
	TimeoutHandler  = "http.TimeoutHandler"
	MaxBytesHandler = "http.MaxBytesHandler"
)

// of turns an http.Handler, which returns no error, into a Handler.
func of(h http.Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// Deadlines returns all ways to give h a deadline.
func Deadlines(limit time.Duration, h http.Handler) []measure.Contender {
	mux := routed(h)
	return []measure.Contender{
		{Name: "bare", Handler: mux},
		{Name: Floor, Handler: deadlineByHand(limit, mux)},
		{Name: Bulwark, Handler: timeout.New(timeout.Config{Limit: limit})(mux)},
		{Name: TimeoutHandler, Handler: http.TimeoutHandler(mux, limit, "")},
		{Name: "chi Timeout", Handler: middleware.Timeout(limit)(mux)},
		{Name: "failsafe-go Timeout", Handler: failsafehttp.NewHandler(mux, failsafetimeout.New[*http.Response](limit))},
		{Name: "bare Gin", Handler: ginBare(of(h))},
		{Name: "gin-contrib/timeout", Handler: ginEngine(gin.WrapH(h), ginDeadline(limit)), Base: "bare Gin"},
		{Name: "bare Echo v4", Handler: echo4Instance(of(h))},
		{Name: "Echo v4 ContextTimeout", Handler: echo4Instance(of(h), echo4Deadline(limit)), Base: "bare Echo v4"},
		{Name: "bare Echo v5", Handler: echo5Bare(of(h))},
		{Name: "Echo v5 ContextTimeout", Handler: echo5Instance(nowhere, of(h), echo5middleware.ContextTimeout(limit)), Base: "bare Echo v5"},
	}
}

// Bodies returns all ways to bound the body that h reads. chi sets the field of the
// server's own request, Echo takes its reader from a pool, and http.MaxBytesHandler
// makes a copy of the request.
func Bodies(limit int64, h http.Handler) []measure.Contender {
	return append(BodiesPlain(limit, h), []measure.Contender{
		{Name: "bare Echo v4", Handler: echo4Instance(of(h))},
		{Name: "Echo v4 BodyLimit", Handler: echo4Instance(of(h), echo4middleware.BodyLimit(bodySize(limit))), Base: "bare Echo v4"},
		{Name: "bare Echo v5", Handler: echo5Bare(of(h))},
		{Name: "Echo v5 BodyLimit", Handler: echo5Instance(nowhere, of(h), echo5middleware.BodyLimit(limit)), Base: "bare Echo v5"},
	}...)
}

// BodiesPlain returns the contenders of Bodies that use only net/http.
func BodiesPlain(limit int64, h http.Handler) []measure.Contender {
	mux := routed(h)
	return []measure.Contender{
		{Name: "bare", Handler: mux},
		{Name: MaxBytesHandler, Handler: http.MaxBytesHandler(mux, limit)},
		{Name: Bulwark, Handler: limits.New(limits.Config{MaxBodyBytes: limit})(mux)},
		{Name: "chi RequestSize", Handler: middleware.RequestSize(limit)(mux)},
	}
}

// Permits returns all ways to bound the requests in flight, with a free permit for
// the request.
func Permits(n int, h http.Handler) []measure.Contender {
	mux := routed(h)
	return []measure.Contender{
		{Name: "bare", Handler: mux},
		{Name: Bulwark, Handler: limits.New(limits.Config{MaxInFlight: n})(mux)},
		{Name: "chi Throttle", Handler: middleware.Throttle(n)(mux)},
	}
}

// Loggers returns all ways to log the requests of h, as JSON to out. If off is
// true, the logger's level is above what they log. The others log what their
// documentation shows, with a request id if they have one.
func Loggers(out io.Writer, off bool, h http.Handler) []measure.Contender {
	log, zero := jsonTo(out), zerolog.New(out).With().Timestamp().Logger()
	if off {
		log, zero = slog.New(slog.DiscardHandler), zero.Level(zerolog.Disabled)
	}
	mux := routed(h)
	return []measure.Contender{
		{Name: "bare", Handler: mux},
		{Name: Floor, Handler: logByHand(log, mux)},
		{Name: Bulwark, Handler: logging.New(logging.Config{Logger: log})(mux)},
		{Name: "slog-http", Handler: sloghttp.NewWithConfig(log, slogHTTP())(mux)},
		{Name: "httplog", Handler: httplog.RequestLogger(log, &httplog.Options{Schema: httplog.SchemaOTEL})(mux)},
		{Name: "hlog", Handler: inHlog(zero, mux)},
		{Name: "bare Gin", Handler: ginBare(of(h))},
		{Name: "slog-gin", Handler: ginEngine(gin.WrapH(h), sloggin.New(log)), Base: "bare Gin"},
		{Name: "Gin's own, which is text", Handler: ginEngine(gin.WrapH(h), ginLogger(out, off)), Base: "bare Gin"},
		{Name: "bare Echo v4", Handler: echo4Instance(of(h))},
		{Name: "Echo v4 RequestLogger", Handler: echo4Instance(of(h), echo4middleware.RequestID(), echo4Logger(log)), Base: "bare Echo v4"},
		{Name: "bare Echo v5", Handler: echo5Bare(of(h))},
		{Name: "Echo v5 RequestLogger", Handler: echo5Instance(log, of(h), echo5middleware.RequestID(), echo5middleware.RequestLogger()), Base: "bare Echo v5"},
	}
}

// ginLogger has no levels. If off is true, it skips all requests.
func ginLogger(out io.Writer, off bool) gin.HandlerFunc {
	return gin.LoggerWithConfig(gin.LoggerConfig{Output: out, Skip: func(*gin.Context) bool { return off }})
}
