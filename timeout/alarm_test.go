package timeout_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/timeout"
)

// A middleware serves requests with a fake clock and with the real one, in any order:
// a timer that was used with both would be a fatal error of the runtime.
func TestClocksDoNotMix(t *testing.T) {
	h := timeout.New(timeout.Config{Limit: time.Minute})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stuck" {
			<-r.Context().Done()
		}
	}))
	get := func(path string) int {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		return rec.Code
	}
	for range 3 {
		require.Equal(t, http.StatusOK, get("/"))
		synctest.Test(t, func(t *testing.T) {
			require.Equal(t, http.StatusOK, get("/"))
			require.Equal(t, http.StatusGatewayTimeout, get("/stuck"))
			require.Equal(t, http.StatusOK, get("/"))
		})
	}
}

type beganKey struct{}

// The rest of one request's deadline does not end the next request.
func TestDeadlinesDoNotMix(t *testing.T) {
	const limit = 20 * time.Millisecond
	h := timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		began := r.Context().Value(beganKey{}).(time.Time) // not later than the limit begins to count
		switch r.URL.Path {
		case "/stuck":
			<-r.Context().Done()
			assert.GreaterOrEqual(t, time.Since(began), limit-time.Millisecond, "ended before its time")
		case "/moved":
			_, _ = timeout.Reset(r.Context(), time.Hour)
			_, _ = timeout.Reset(r.Context(), limit)
		}
		if r.Context().Err() != nil {
			assert.GreaterOrEqual(t, time.Since(began), limit-time.Millisecond, "ended by another deadline")
		}
	}))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 400 {
				path := "/"
				switch {
				case i%40 == 0:
					path = "/stuck"
				case i%3 == 0:
					path = "/moved"
				}
				rec := httptest.NewRecorder()
				ctx := context.WithValue(t.Context(), beganKey{}, time.Now())
				h.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
				if path == "/stuck" {
					assert.Equal(t, http.StatusGatewayTimeout, rec.Code)
				}
			}
		})
	}
	all.Wait()
}
