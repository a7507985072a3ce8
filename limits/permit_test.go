package limits_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/timeout"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The permit is released however the handler ends.
//
// Reported elsewhere: a panic keeps a permit, https://github.com/valyala/fasthttp/issues/2219
func TestPermitsAreReleased(t *testing.T) {
	endings := map[string]http.HandlerFunc{
		"/panic":  func(http.ResponseWriter, *http.Request) { panic("boom") },
		"/abort":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"/goexit": func(http.ResponseWriter, *http.Request) { runtime.Goexit() },
		"/return": func(http.ResponseWriter, *http.Request) {},
	}
	h := limits.New(limits.Config{MaxInFlight: 1})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endings[r.URL.Path](w, r)
	}))
	for path := range endings {
		for range 3 {
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() { _ = recover() }()
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
				assert.Equal(t, 200, w.Code)
			})
			wg.Wait()
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/return", nil))
	assert.Equal(t, 200, w.Code)
}

// A hijacked connection releases its permit at once, and only once. A stream keeps its
// permit (the deadline bounds a slow reader).
//
// Reported elsewhere: one WebSocket blocks all later requests, https://github.com/aviddiviner/gin-limit/issues/3
func TestHijackReleasesThePermit(t *testing.T) {
	t.Parallel()
	release, hijacked := make(chan struct{}), make(chan struct{})
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxInFlight: 1})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/socket":
			conn, _, err := http.NewResponseController(w).Hijack()
			if assert.NoError(t, err) {
				defer conn.Close()
			}
			close(hijacked)
			<-release
		case "/stream":
			assert.NoError(t, http.NewResponseController(w).Flush())
			<-release
		}
	})))
	c := s.Dial(t)
	c.Send(t, "GET /socket HTTP/1.1\r\nHost: a\r\n\r\n")
	testhttp.Await(t, hijacked)
	res, err := s.Client().Get(s.URL + "/")
	require.NoError(t, err)
	res.Body.Close()
	assert.Equal(t, 200, res.StatusCode)
	stream, err := s.Client().Get(s.URL + "/stream")
	require.NoError(t, err)
	defer stream.Body.Close()
	for range 2 {
		res, err = s.Client().Get(s.URL + "/")
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, 503, res.StatusCode)
	}
	close(release)
	_, _ = io.Copy(io.Discard, stream.Body)
	c.Closed(t)
}

// An abandoned HTTP/2 handler keeps its permit until it ends.
func TestAbandonedHandlerKeepsItsPermit(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"limits outside", "timeout outside"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			release, ended := make(chan struct{}), make(chan struct{})
			stuck := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/stuck" {
					<-release
					close(ended)
				}
			})
			// The canceled request may still be in the queue when the last one comes.
			limit := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 2, MaxWait: testhttp.Patience})
			deadline := timeout.New(timeout.Config{Limit: 100 * time.Millisecond})
			h := limit(deadline(stuck))
			if order == "timeout outside" {
				h = deadline(limit(stuck))
			}
			s := testhttp.HTTP2.Start(t, h)
			res, err := s.Client().Get(s.URL + "/stuck")
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, 504, res.StatusCode)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
			res, err = s.Client().Do(req)
			if order == "timeout outside" && err == nil { // on a busy machine the refusal or the deadline comes first
				res.Body.Close()
				assert.Contains(t, []int{503, 504}, res.StatusCode)
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded, "it waits in the queue")
			}
			close(release)
			testhttp.Await(t, ended)
			if order == "timeout outside" {
				return // the deadline also ends the wait in the queue
			}
			res, err = s.Client().Get(s.URL)
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, 200, res.StatusCode)
		})
	}
}

// A client that resets its stream, to open another one, does not release the permit:
// the handler is still running.
func TestResetDoesNotReleaseThePermit(t *testing.T) {
	t.Parallel()
	inner := newHeld()
	gone := make(chan struct{})
	s := testhttp.HTTP2.Start(t, limits.New(limits.Config{MaxInFlight: 1})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		context.AfterFunc(r.Context(), func() { gone <- struct{}{} })
		inner.ServeHTTP(w, r)
	})))
	ctx, cancel := context.WithCancel(t.Context())
	reset := make(chan error)
	go func() {
		req, _ := http.NewRequestWithContext(ctx, "GET", s.URL, http.NoBody)
		res, err := s.Client().Do(req)
		if err == nil {
			res.Body.Close()
		}
		reset <- err
	}()
	testhttp.Await(t, inner.started)
	cancel()
	require.ErrorIs(t, testhttp.Await(t, reset), context.Canceled)
	testhttp.Await(t, gone)
	for range 3 {
		res, err := s.Client().Get(s.URL)
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, 503, res.StatusCode)
	}
	close(inner.release)
}

// A burst cannot exceed the limit between a check and the count.
//
// Reported elsewhere:
//   - a burst passes between the check and the count, https://github.com/go-chi/httprate/issues/2
//   - a limiter is used before it is made, https://github.com/mholt/caddy-ratelimit/issues/36
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := limits.New(limits.Config{MaxInFlight: 3, MaxQueue: 4, MaxWait: time.Minute})(inner)
		codes := make(chan int, 50)
		for range 50 {
			go func() {
				w, _ := do(t.Context(), h, "/")
				codes <- w.Code
			}()
		}
		synctest.Wait()
		assert.Len(t, inner.started, 3)
		assert.Len(t, codes, 43)
		close(inner.release)
		synctest.Wait()
		assert.Len(t, inner.started, 7)
	})
}

// The ErrorHandler runs without a lock, so it may call the handler again.
//
// Reported elsewhere: a callback under a lock, https://github.com/sethvargo/go-limiter/issues/52
func TestErrorHandlerMayServe(t *testing.T) {
	var h http.Handler
	inner := newHeld()
	h = limits.New(limits.Config{MaxInFlight: 1, ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
		if r.URL.Path == "/again" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		r = r.Clone(r.Context())
		r.URL.Path = "/again"
		h.ServeHTTP(w, r)
	}})(inner)
	go do(t.Context(), h, "/")
	testhttp.Await(t, inner.started)
	w, _ := do(t.Context(), h, "/")
	assert.Equal(t, http.StatusTeapot, w.Code)
	close(inner.release)
}

// A client that does not read its response holds its permit at most until its
// deadline.
//
// Reported elsewhere: slow clients take all permits, https://github.com/navidrome/navidrome/issues/5472
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 1)
	h := timeout.New(timeout.Config{Limit: 300 * time.Millisecond})(
		limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: testhttp.Patience})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/download" {
				return
			}
			started <- struct{}{}
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		})))
	s := testhttp.HTTP1.Start(t, h)
	c := s.Dial(t)
	c.Send(t, "GET /download HTTP/1.1\r\nHost: a\r\n\r\n")
	testhttp.Await(t, started)
	var status int
	for range 10 { // each waits until its own deadline
		res, err := s.Client().Get(s.URL)
		require.NoError(t, err)
		res.Body.Close()
		if status = res.StatusCode; status == 200 {
			return
		}
	}
	assert.Equal(t, 200, status)
}
