package limits_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/timeout"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// do serves one request without a network, with what there is to see of it.
func do(ctx context.Context, h http.Handler, path string) (w *httptest.ResponseRecorder, e *ending) {
	w, e = httptest.NewRecorder(), &ending{}
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			panic(v)
		}
	}()
	observed(e, h).ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", path, nil))
	return w, e
}

// ending is how a request ended, as logging would see it.
type ending struct{ exchange.Ending }

func (e *ending) Ended(_ *exchange.Exchange, end *exchange.Ending) { e.Ending = *end }
func (e *ending) Late(*exchange.Exchange, any, []byte)             {}

func observed(e *ending, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, w, r, _ := exchange.Enter(w, r)
		defer x.Leave()
		x.Observe(e)
		next.ServeHTTP(w, r)
		x.Returned()
	})
}

// held is a handler that waits to be let go.
type held struct {
	started chan string
	release chan struct{}
}

func newHeld() held { return held{make(chan string, 100), make(chan struct{})} }

func (h held) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	h.started <- r.URL.Path
	<-h.release
}

func TestMaxInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := limits.New(limits.Config{MaxInFlight: 2, RetryAfter: 10 * time.Second})(inner)
		for range 2 {
			go do(t.Context(), h, "/")
		}
		synctest.Wait()
		seen := map[string]bool{}
		for range 100 {
			w, e := do(t.Context(), h, "/")
			assert.Equal(t, 503, w.Code)
			assert.True(t, e.Refused)
			var le *limits.Error
			require.ErrorAs(t, e.Cause, &le)
			assert.Equal(t, limits.ReasonInFlight, le.Reason)
			after := w.Header().Get("Retry-After")
			n, err := strconv.Atoi(after) // L34
			require.NoError(t, err)
			assert.GreaterOrEqual(t, n, 10)
			assert.LessOrEqual(t, n, 20)
			seen[after] = true
		}
		assert.Greater(t, len(seen), 1, "jittered")
		close(inner.release)
		synctest.Wait()
		w, _ := do(t.Context(), h, "/")
		assert.Equal(t, 200, w.Code)
	})
}

func TestQueueIsFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 5, MaxWait: time.Hour})(inner)
		for i := range 6 {
			go do(t.Context(), h, "/"+strconv.Itoa(i))
			synctest.Wait()
		}
		w, _ := do(t.Context(), h, "/6")
		assert.Equal(t, 503, w.Code, "the queue is full")
		for i := range 6 {
			assert.Equal(t, "/"+strconv.Itoa(i), <-inner.started)
			inner.release <- struct{}{}
		}
		synctest.Wait()
		assert.Empty(t, inner.started)
	})
}

// L20, L21: a queued request leaves with its client, is logged as gone and not
// as refused, and its place is free.
func TestQueuedRequestLeavesWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: time.Hour})(inner)
		go do(t.Context(), h, "/first")
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan *ending, 1)
		go func() {
			_, e := do(ctx, h, "/gone")
			ended <- e
		}()
		synctest.Wait()
		leave()
		e := <-ended
		assert.True(t, e.ClientGone)
		assert.False(t, e.Refused)
		assert.Zero(t, e.Status)
		require.ErrorIs(t, e.Cause, exchange.ErrClientGone)
		go do(t.Context(), h, "/second")
		synctest.Wait()
		assert.Equal(t, "/first", <-inner.started)
		inner.release <- struct{}{}
		assert.Equal(t, "/second", <-inner.started)
		close(inner.release)
	})
}

// L28: what cannot be served in time any more does not hold up what can.
func TestDeadlineInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 10, MaxWait: 3 * time.Second})(inner)
		go do(t.Context(), h, "/")
		synctest.Wait()
		for _, tc := range []struct{ deadline, want time.Duration }{
			{time.Second, 990 * time.Millisecond},
			{time.Hour, 3 * time.Second},
			{5 * time.Millisecond, 0},
			{-time.Second, 0},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), tc.deadline)
			began := time.Now()
			w, e := do(ctx, h, "/")
			cancel()
			assert.Equal(t, 503, w.Code)
			assert.True(t, e.Refused)
			assert.Equal(t, tc.want, time.Since(began))
		}
		close(inner.release)
	})
}

// The same with an enforced deadline further out: it is limits that answers.
func TestEnforcedDeadlineInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newHeld()
		h := timeout.New(timeout.Config{Limit: time.Second})(limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: time.Hour})(inner))
		go do(t.Context(), h, "/")
		synctest.Wait()
		w, e := do(t.Context(), h, "/")
		assert.Equal(t, 503, w.Code)
		assert.True(t, e.Refused)
		time.Sleep(time.Second)
		w, _ = do(t.Context(), h, "/")
		assert.Equal(t, 503, w.Code, "the stuck handler has been answered for and keeps its permit")
		close(inner.release)
		synctest.Wait()
		w, _ = do(t.Context(), h, "/")
		assert.Equal(t, 200, w.Code)
	})
}

// L18, L19: permits come back, whatever ended the handler.
func TestPermitsComeBack(t *testing.T) {
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

// L18: a hijacked connection gives its permit back at once, and only once; a
// stream keeps its permit (L17: what bounds a slow reader is the deadline).
func TestHijackGivesThePermitBack(t *testing.T) {
	t.Parallel()
	release, hijacked := make(chan struct{}), make(chan struct{})
	s := serve(t, limits.New(limits.Config{MaxInFlight: 1})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	c := dial(t, s)
	c.send(t, "GET /socket HTTP/1.1\r\nHost: a\r\n\r\n")
	within(t, hijacked)
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
	c.closed(t)
}

// An HTTP/2 handler that was left behind keeps its permit until it ends.
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
			limit := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: patience})
			deadline := timeout.New(timeout.Config{Limit: 100 * time.Millisecond})
			h := limit(deadline(stuck))
			if order == "timeout outside" {
				h = deadline(limit(stuck))
			}
			s := serve2(t, h)
			res, err := s.Client().Get(s.URL + "/stuck")
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, 504, res.StatusCode)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
			_, err = s.Client().Do(req)
			require.ErrorIs(t, err, context.DeadlineExceeded, "it waits in the queue")
			close(release)
			within(t, ended)
			if order == "timeout outside" {
				return // the queue is shorter than the way of the permit
			}
			res, err = s.Client().Get(s.URL)
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, 200, res.StatusCode)
		})
	}
}

// L29: no burst gets through between the look and the count.
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

// L32: the ErrorHandler runs under no lock: it may call the handler again.
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
	within(t, inner.started)
	w, _ := do(t.Context(), h, "/")
	assert.Equal(t, http.StatusTeapot, w.Code)
	close(inner.release)
}

// L17 (navidrome #5472): a client that does not read its response holds its
// permit no longer than its deadline.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 1)
	h := timeout.New(timeout.Config{Limit: 300 * time.Millisecond})(
		limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: patience})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	s := serve(t, h)
	c := dial(t, s)
	c.send(t, "GET /download HTTP/1.1\r\nHost: a\r\n\r\n")
	within(t, started)
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
