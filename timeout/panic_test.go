package timeout_test

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/bulwarktest"
	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

var errBoom = errors.New("boom")

// explode is on the stack of its panics, wherever they are reported.
func explode(v any) { panic(v) }

// caught recovers outside the middleware and reports the value.
func caught(values chan<- any, stacks chan<- string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				v := recover()
				values <- v
				stacks <- string(debug.Stack())
				if v != nil {
					panic(v)
				}
			}()
			next.ServeHTTP(w, r)
		})
	}
}

// A panic before the deadline keeps its value. On net/http's goroutine it keeps its
// stack, so that an outer recovery sees the line that panicked. On HTTP/2's own
// goroutine the stack goes to the ErrorLog.
//
// Reported elsewhere:
//   - the stack of a panic is lost, https://github.com/gin-contrib/timeout/issues/36
//   - the stack of a panic is rewritten, https://github.com/golang/go/issues/27375
//   - a panic on a goroutine ends the process, https://github.com/golang/go/issues/22084
func TestPanicInTime(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		values, stacks := make(chan any, 1), make(chan string, 1)
		s := v.start(t, chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { explode(errBoom) }),
			caught(values, stacks), timeout.New(timeout.Config{Limit: testhttp.Patience})))
		res := s.Get(t, "/")
		assert.Error(t, res.Err)
		assert.Zero(t, res.Status)
		assert.Equal(t, any(errBoom), testhttp.Await(t, values, "the panic"), "the value itself")
		stack := <-stacks
		settled(func() bool { return strings.Contains(s.Log.String(), "timeout_test.explode(") })
		assert.Contains(t, s.Log.String(), "timeout_test.explode(", "the stack of the line that panicked")
		assert.Contains(t, s.Log.String(), "boom")
		if v.desc != "HTTP/2" {
			assert.Contains(t, stack, "timeout_test.explode(")
		}
	})
}

// A recovery inside sees the panic first, as without the middleware.
func TestPanicRecoveredInside(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, timeout.New(timeout.Config{Limit: testhttp.Patience})(recovered(http.HandlerFunc(
			func(http.ResponseWriter, *http.Request) { explode(errBoom) }))))
		res := s.Get(t, "/")
		assert.Equal(t, http.StatusInternalServerError, res.Status)
		assert.Equal(t, "recovered\n", res.Body)
	})
}

// A recovery outside can respond, also if the panic is on HTTP/2's own goroutine.
func TestPanicRecoveredOutside(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, recovered(timeout.New(timeout.Config{Limit: testhttp.Patience})(http.HandlerFunc(
			func(http.ResponseWriter, *http.Request) { explode(errBoom) }))))
		res := s.Get(t, "/")
		assert.Equal(t, http.StatusInternalServerError, res.Status)
		assert.Equal(t, "recovered\n", res.Body)
	})
}

// http.ErrAbortHandler is passed on unchanged and is not logged.
func TestAbortInTime(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		values, stacks := make(chan any, 1), make(chan string, 1)
		endings := make(chan exchange.Ending, 1)
		s := v.start(t, chain(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "part")
			flush(w)
			panic(http.ErrAbortHandler)
		}), caught(values, stacks), observed(endings, nil), timeout.New(timeout.Config{Limit: testhttp.Patience})))
		res := s.Get(t, "/")
		assert.Error(t, res.Err)
		assert.Equal(t, any(http.ErrAbortHandler), testhttp.Await(t, values, "the abort"))
		e := testhttp.Await(t, endings, "the ending")
		assert.Equal(t, exchange.Aborted, e.Outcome)
		assert.Nil(t, e.Panic)
		assert.NotContains(t, s.Log.String(), "panic")
	})
}

// runtime.Goexit, for example by t.FailNow in a handler, ends only the request.
func TestGoexitInTime(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		endings := make(chan exchange.Ending, 1)
		s := v.start(t, chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { runtime.Goexit() }),
			observed(endings, nil), timeout.New(timeout.Config{Limit: testhttp.Patience})))
		assert.Error(t, s.Get(t, "/").Err)
		e := testhttp.Await(t, endings, "the ending")
		assert.Equal(t, exchange.Aborted, e.Outcome)
	})
}

// A panic after the deadline goes to the observer or, if there is none, to the
// ErrorLog, with its stack. The response stays, and so does the process.
//
// Reported elsewhere:
//   - the process ends, and no recovery can help, https://github.com/gin-contrib/timeout/issues/60
//   - the stack of a panic is lost, https://github.com/gin-contrib/timeout/issues/36
//   - a late panic is dropped, a late Push panics, https://github.com/golang/go/issues/34608
//   - a panic on a goroutine ends the process, https://github.com/golang/go/issues/22084
func TestPanicAfterTheDeadline(t *testing.T) {
	late := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		explode(errBoom)
	})
	everywhere(t, func(t *testing.T, v variant) {
		t.Run("ErrorLog", func(t *testing.T) {
			s := v.start(t, timeout.New(timeout.Config{Limit: limit})(late))
			assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
			settled(func() bool { return strings.Contains(s.Log.String(), "boom") })
			assert.Contains(t, s.Log.String(), "http: panic in a handler after its deadline: boom")
			assert.Contains(t, s.Log.String(), "timeout_test.explode(")
		})
		t.Run("observer", func(t *testing.T) {
			lates := make(chan lateEnd, 1)
			s := v.start(t, observed(nil, lates)(timeout.New(timeout.Config{Limit: limit})(late)))
			assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
			l := testhttp.Await(t, lates, "the late end")
			assert.Equal(t, any(errBoom), l.panicked)
			assert.Contains(t, l.stack, "timeout_test.explode(")
			assert.NotContains(t, s.Log.String(), "boom", "once is enough")
		})
		t.Run("ErrAbortHandler", func(t *testing.T) {
			lates := make(chan lateEnd, 1)
			s := v.start(t, observed(nil, lates)(timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
				func(_ http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					panic(http.ErrAbortHandler)
				}))))
			assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
			testhttp.Await(t, lates, "the late end")
			assert.NotContains(t, s.Log.String(), "panic")
		})
		t.Run("Goexit", func(t *testing.T) {
			endings, lates, release := make(chan exchange.Ending, 1), make(chan lateEnd, 1), make(chan struct{})
			s := v.start(t, observed(endings, lates)(timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
				func(_ http.ResponseWriter, _ *http.Request) {
					<-release
					runtime.Goexit()
				}))))
			answered := make(chan bulwarktest.Result, 1)
			req := s.Request(t, http.MethodGet, "/", http.NoBody)
			go func() { answered <- s.Do(req) }()
			assert.True(t, testhttp.Await(t, endings, "the ending").Abandoned)
			close(release)
			assert.Nil(t, testhttp.Await(t, lates, "the late end").panicked)
			assert.Equal(t, http.StatusGatewayTimeout, testhttp.Await(t, answered, "the answer").Status)
		})
	})
}
