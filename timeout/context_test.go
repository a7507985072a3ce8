package timeout_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/bulwarktest"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// children are contexts that handlers and libraries derive from a request's.
var children = []struct {
	desc   string
	derive func(context.Context) (context.Context, context.CancelFunc)
}{
	{"itself", func(c context.Context) (context.Context, context.CancelFunc) { return c, func() {} }},
	{"WithCancel", context.WithCancel},
	{"WithCancelCause", func(c context.Context) (context.Context, context.CancelFunc) {
		c, cancel := context.WithCancelCause(c)
		return c, func() { cancel(nil) }
	}},
	{"WithTimeout", func(c context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(c, time.Hour)
	}},
	{"WithValue", func(c context.Context) (context.Context, context.CancelFunc) {
		return context.WithValue(c, touchKey{}, 1), func() {}
	}},
	{"WithCancel below WithValue", func(c context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(context.WithValue(c, touchKey{}, 1))
	}},
	{"WithTimeout below WithCancel below WithValue", func(c context.Context) (context.Context, context.CancelFunc) {
		c, cancel := context.WithCancel(context.WithValue(c, touchKey{}, 1))
		c, cancelTimeout := context.WithTimeout(c, time.Hour)
		return c, func() { cancelTimeout(); cancel() }
	}},
}

// deriving makes all children, waits for their end, and checks each.
// It closes ready when they are made, and done at its end.
func deriving(t *testing.T, ready, done chan<- struct{}, look func(*testing.T, context.Context)) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer close(done)
		var all []context.Context
		for _, c := range children {
			ctx, cancel := c.derive(r.Context())
			defer cancel()
			assert.NoError(t, ctx.Err(), c.desc)
			assert.NoError(t, context.Cause(ctx), c.desc)
			all = append(all, ctx)
		}
		close(ready)
		for i, ctx := range all {
			<-ctx.Done()
			t.Run(children[i].desc, func(t *testing.T) { look(t, ctx) })
		}
		t.Run("made afterwards", func(t *testing.T) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			<-ctx.Done()
			look(t, ctx)
		})
	})
}

// At the deadline Err is context.DeadlineExceeded itself, and context.Cause the
// *timeout.Error, here and in every child.
//
// Reported elsewhere: WriteTimeout gives an EOF and no cancellation, https://github.com/golang/go/issues/59602
func TestContextAtTheDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		done := make(chan struct{})
		s := v.start(t, timeout.New(timeout.Config{Limit: limit})(deriving(t, make(chan struct{}), done,
			func(t *testing.T, ctx context.Context) {
				assert.Equal(t, context.DeadlineExceeded, ctx.Err(), "comparable with ==")
				var e *timeout.Error
				require.ErrorAs(t, context.Cause(ctx), &e)
				assert.Equal(t, timeout.PhaseHandler, e.Phase)
				assert.Equal(t, limit, e.Limit)
				assert.GreaterOrEqual(t, e.Elapsed, limit)
				assert.False(t, e.Caller)
				assert.Equal(t, http.StatusGatewayTimeout, e.StatusCode())
			})))
		s.Get(t, "/")
		testhttp.Await(t, done, "the handler's end")
	})
}

// If the client disconnects, the context ends with ErrClientGone, which is a
// context.Canceled, and nothing more is sent.
func TestContextWhenTheClientLeaves(t *testing.T) {
	assert.ErrorIs(t, timeout.ErrClientGone, context.Canceled)
	everywhere(t, func(t *testing.T, v variant) {
		done, in := make(chan struct{}), make(chan struct{})
		look := deriving(t, in, done, func(t *testing.T, ctx context.Context) {
			assert.Equal(t, context.Canceled, ctx.Err())
			assert.Equal(t, timeout.ErrClientGone, context.Cause(ctx))
		})
		s := v.start(t, timeout.New(timeout.Config{Limit: testhttp.Patience})(look))
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan bulwarktest.Result, 1)
		req := s.Request(t, http.MethodGet, "/", http.NoBody).WithContext(ctx)
		go func() { gone <- s.Do(req) }()
		testhttp.Await(t, in, "the children")
		leave()
		testhttp.Await(t, done, "the handler's end")
		assert.Zero(t, testhttp.Await(t, gone, "the client's end").Status)
	})
}

// Err reports the end even if Done was never called.
func TestContextErrWithoutDone(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		errs := make(chan error, 2)
		s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) {
				for end := time.Now().Add(testhttp.Patience); r.Context().Err() == nil && time.Now().Before(end); {
					runtime.Gosched()
				}
				errs <- r.Context().Err()
				errs <- context.Cause(r.Context())
			})))
		s.Get(t, "/")
		assert.Equal(t, context.DeadlineExceeded, testhttp.Await(t, errs, "Err"))
		assert.Equal(t, timeout.PhaseHandler, phaseOf(t, <-errs))
	})
}

// When the request has ended its context is canceled, as net/http's context is.
func TestContextAfterTheRequest(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		ctxs := make(chan context.Context, 2)
		s := v.start(t, timeout.New(timeout.Config{Limit: testhttp.Patience})(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) {
				child, cancel := context.WithCancel(r.Context())
				context.AfterFunc(child, cancel)
				ctxs <- child
				ctxs <- r.Context()
			})))
		s.Get(t, "/")
		for range 2 {
			ctx := <-ctxs
			testhttp.Await(t, ctx.Done(), "the end of the context")
			assert.Equal(t, context.Canceled, ctx.Err())
			assert.Equal(t, context.Canceled, context.Cause(ctx), "the client had not left")
		}
	})
}

// If the parent ends, the context has the parent's cause.
func TestContextOfTheParent(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		reason := http.ErrServerClosed
		done := make(chan struct{})
		look := timeout.New(timeout.Config{Limit: testhttp.Patience})(deriving(t, make(chan struct{}), done, func(t *testing.T, ctx context.Context) {
			assert.Equal(t, context.Canceled, ctx.Err())
			assert.Equal(t, reason, context.Cause(ctx))
		}))
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancelCause(r.Context())
			time.AfterFunc(limit, func() { cancel(reason) })
			look.ServeHTTP(w, r.WithContext(ctx))
		}))
		s.Get(t, "/")
		testhttp.Await(t, done, "the handler's end")
	})
}

// Children start no goroutine, directly below the context and below a WithValue.
func TestContextChildrenStartNoGoroutine(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, timeout.New(timeout.Config{Limit: testhttp.Patience})(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) {
				before := runtime.NumGoroutine()
				for i := range 1000 {
					_, cancel := children[1+i%(len(children)-1)].derive(r.Context())
					defer cancel()
				}
				assert.LessOrEqual(t, runtime.NumGoroutine(), before+10)
			})))
		assert.Equal(t, http.StatusOK, s.Get(t, "/").Status)
	})
}

// Deadline returns exactly the time at which the deadline is enforced.
func TestContextDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		v.bubble(t, timeout.New(timeout.Config{Limit: time.Minute})(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) {
				at, ok := r.Context().Deadline()
				assert.True(t, ok)
				assert.Equal(t, time.Now().Add(time.Minute), at)
				left, ok := timeout.Remaining(r.Context())
				assert.True(t, ok)
				assert.Equal(t, time.Minute, left)
				<-r.Context().Done()
				assert.True(t, time.Now().Equal(at))
				left, ok = timeout.Remaining(r.Context())
				assert.True(t, ok)
				assert.LessOrEqual(t, left, time.Duration(0))
			})), func(t *testing.T, s *testhttp.Server) {
			assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
		})
	})
	_, ok := timeout.Remaining(t.Context())
	assert.False(t, ok)
}

// An earlier deadline of the server, or of middleware outside, counts.
func TestContextDeadlineOfTheParent(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		mw := timeout.New(timeout.Config{Limit: time.Hour})
		v.bubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
			defer cancel()
			mw(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				left, _ := timeout.Remaining(r.Context())
				assert.Equal(t, time.Minute, left)
				<-r.Context().Done()
				assert.Equal(t, context.DeadlineExceeded, r.Context().Err())
			})).ServeHTTP(w, r.WithContext(ctx))
		}), func(t *testing.T, s *testhttp.Server) {
			assert.Equal(t, http.StatusOK, s.Get(t, "/").Status, "that deadline is not ours to answer for")
		})
	})
}
