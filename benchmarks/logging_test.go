package benchmarks_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/httplog/v3"
	"github.com/labstack/echo/v5"
	echomiddleware "github.com/labstack/echo/v5/middleware"
	"github.com/rs/zerolog"
	"github.com/rs/zerolog/hlog"
	sloghttp "github.com/samber/slog-http"

	"github.com/bulwark-go/bulwark/logging"
)

// jsonTo is the logger that all write by who write to slog.
func jsonTo(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(w, nil)) }

// says answers as most handlers do.
func says(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusOK)
	w.Write(hello)
}

// browses makes requests that fill the default line's twelve attributes.
func browses() func(context.Context) *http.Request {
	template := httptest.NewRequest(http.MethodGet, "/", nil)
	template.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	template.Pattern = "GET /{$}"
	return func(ctx context.Context) *http.Request {
		delete(template.Header, "X-Request-Id") // which some put there
		return template.WithContext(ctx)
	}
}

// recorder is the status recorder that is written by hand.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(code int) {
	r.status = code
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(p []byte) (int, error) {
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// loggedByHand is what a service writes that has no library: the same twelve
// attributes. It says 200 whatever becomes of the response.
func loggedByHand(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		var raw [16]byte
		_, _ = rand.Read(raw[:])
		id := hex.EncodeToString(raw[:])
		w.Header().Set("X-Request-Id", id)
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		log.LogAttrs(r.Context(), slog.LevelInfo, "http request",
			slog.String("http.request.method", r.Method),
			slog.String("url.path", r.URL.Path),
			slog.String("http.route", r.Pattern),
			slog.Int("http.response.status_code", rec.status),
			slog.Int64("http.request.body.size", max(r.ContentLength, 0)),
			slog.Int64("http.response.body.size", rec.bytes),
			slog.Float64("http.server.request.duration", time.Since(start).Seconds()),
			slog.String("client.address", host),
			slog.String("user_agent.original", r.UserAgent()),
			slog.String("network.protocol.version", "1.1"),
			slog.String("outcome", "ok"),
			slog.String("request_id", id),
		)
	})
}

func logged(log *slog.Logger, next http.Handler) http.Handler {
	return logging.New(logging.Config{Logger: log})(next)
}

// TestSameTwelve: the line by hand is of the same attributes.
func TestSameTwelve(t *testing.T) {
	keys := func(wrap func(*slog.Logger, http.Handler) http.Handler) []string {
		var line bytes.Buffer
		one(wrap(jsonTo(&line), http.HandlerFunc(says)), &discard{make(http.Header)}, browses())
		var m map[string]any
		if err := json.Unmarshal(line.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{slog.TimeKey, slog.LevelKey, slog.MessageKey} {
			delete(m, k)
		}
		return slices.Sorted(maps.Keys(m))
	}
	got, want := keys(logged), keys(loggedByHand)
	if len(want) != 12 || !slices.Equal(got, want) {
		t.Errorf("bulwark: %v\nby hand: %v", got, want)
	}
}

// BenchmarkLogging: JSON to nowhere. What the peers put into their lines is as
// their documentation has it, with a request id where they can make one.
func BenchmarkLogging(b *testing.B) {
	h := http.HandlerFunc(says)
	interleave(b, browses(),
		contender{"bare", h},
		contender{"hand", loggedByHand(jsonTo(io.Discard), h)},
		contender{"bulwark", logged(jsonTo(io.Discard), h)},
		contender{"slog-http", sloghttp.NewWithConfig(jsonTo(io.Discard), slogHTTP())(h)},
		contender{"httplog", httplog.RequestLogger(jsonTo(io.Discard), &httplog.Options{Schema: httplog.SchemaOTEL})(h)},
		contender{"hlog", inHlog(zerolog.New(io.Discard).With().Timestamp().Logger(), h)},
	)
}

// BenchmarkLoggingOff: below the logger's level.
func BenchmarkLoggingOff(b *testing.B) {
	h := http.HandlerFunc(says)
	off := slog.New(slog.DiscardHandler)
	interleave(b, browses(),
		contender{"bare", h},
		contender{"hand", loggedByHand(off, h)},
		contender{"bulwark", logged(off, h)},
		contender{"slog-http", sloghttp.NewWithConfig(off, slogHTTP())(h)},
		contender{"httplog", httplog.RequestLogger(off, &httplog.Options{Schema: httplog.SchemaOTEL})(h)},
		contender{"hlog", inHlog(zerolog.New(io.Discard).Level(zerolog.Disabled), h)},
	)
}

func slogHTTP() sloghttp.Config {
	cfg := sloghttp.DefaultConfig()
	cfg.WithUserAgent = true
	return cfg
}

// inHlog is the chain of zerolog's example.
func inHlog(log zerolog.Logger, h http.Handler) http.Handler {
	for _, mw := range []func(http.Handler) http.Handler{ // the innermost first
		hlog.RequestIDHandler("request_id", "X-Request-Id"),
		hlog.UserAgentHandler("user_agent"),
		hlog.RemoteIPHandler("ip"),
		hlog.AccessHandler(func(r *http.Request, status, size int, d time.Duration) {
			hlog.FromRequest(r).Info().
				Str("method", r.Method).Stringer("url", r.URL).
				Int("status", status).Int("size", size).Dur("duration", d).
				Msg("")
		}),
		hlog.NewHandler(log),
	} {
		h = mw(h)
	}
	return h
}

// BenchmarkLoggingGin: each around or in the same engine. Gin's own logger
// writes text, and no id.
func BenchmarkLoggingGin(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	engine := func(mw ...gin.HandlerFunc) http.Handler {
		e := gin.New()
		e.Use(mw...)
		e.GET("/", gin.WrapF(says))
		return e
	}
	interleave(b, browses(),
		contender{"bare", engine()},
		contender{"hand", loggedByHand(jsonTo(io.Discard), engine())},
		contender{"bulwark", logged(jsonTo(io.Discard), engine())},
		contender{"gin", engine(gin.LoggerWithWriter(io.Discard))},
	)
}

// BenchmarkLoggingEcho: each around or in the same instance.
func BenchmarkLoggingEcho(b *testing.B) {
	h := http.HandlerFunc(says)
	own := echo.New()
	own.Logger = jsonTo(io.Discard)
	own.Use(echomiddleware.RequestID(), echomiddleware.RequestLogger())
	own.GET("/", echo.WrapHandler(h))
	interleave(b, browses(),
		contender{"bare", inEcho(h)},
		contender{"hand", loggedByHand(jsonTo(io.Discard), inEcho(h))},
		contender{"bulwark", logged(jsonTo(io.Discard), inEcho(h))},
		contender{"echo", own},
	)
}
