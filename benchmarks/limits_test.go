package benchmarks_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v5"
	echomiddleware "github.com/labstack/echo/v5/middleware"

	"github.com/bulwark-go/bulwark/limits"
)

const bodyLimit = 1 << 20

// reads is a handler that reads its body to the end.
func reads() http.Handler {
	p := make([]byte, 4<<10)
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for {
			if _, err := r.Body.Read(p); err != nil {
				return
			}
		}
	})
}

// posts makes requests with a body of 1 KiB.
func posts() func(context.Context) *http.Request {
	body := bytes.Repeat([]byte("x"), 1<<10)
	src := bytes.NewReader(body)
	template := httptest.NewRequest(http.MethodPost, "/", nil)
	template.Body, template.ContentLength = io.NopCloser(src), int64(len(body))
	return func(ctx context.Context) *http.Request {
		src.Reset(body)
		return template.WithContext(ctx)
	}
}

// BenchmarkLimitsBody: a body of 1 KiB under a limit. chi's sets the field of the
// server's own request, where http.MaxBytesHandler makes a copy; Echo's takes
// its reader from a pool.
func BenchmarkLimitsBody(b *testing.B) {
	h := reads()
	e := echo.New()
	e.Use(echomiddleware.BodyLimit(bodyLimit))
	e.POST("/", echo.WrapHandler(h))
	interleave(b, posts(),
		contender{"bare", h},
		contender{"MaxBytesHandler", http.MaxBytesHandler(h, bodyLimit)},
		contender{"bulwark", limits.New(limits.Config{MaxBodyBytes: bodyLimit})(h)},
		contender{"chi", middleware.RequestSize(bodyLimit)(h)},
		contender{"echo", e},
	)
}

// BenchmarkLimitsInFlight: a permit that is free.
func BenchmarkLimitsInFlight(b *testing.B) {
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	interleave(b, get,
		contender{"bare", h},
		contender{"chi", middleware.Throttle(100)(h)},
		contender{"bulwark", limits.New(limits.Config{MaxInFlight: 100})(h)},
	)
}
