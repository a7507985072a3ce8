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

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/timeout"
)

var errBoom = errors.New("boom")

// explode is on the stack of its panics, wherever they are reported.
func explode(v any) { panic(v) }

// caught recovers outside of the middleware and says what it got.
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

// A panic in time goes on with its value. In place its stack is untouched, so
// that a recovery further out sees the line that panicked; from the goroutine of
// HTTP/2 the stack goes to the ErrorLog.
func TestPanicInTime(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		values, stacks := make(chan any, 1), make(chan string, 1)
		s := v.start(t, chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { explode(errBoom) }),
			caught(values, stacks), timeout.New(timeout.Config{Limit: watchdog})))
		res := s.get(t)
		assert.Error(t, res.err)
		assert.Zero(t, res.status)
		assert.Equal(t, any(errBoom), receive(t, values, "the panic"), "the value itself")
		stack := <-stacks
		settled(func() bool { return strings.Contains(s.log.String(), "timeout_test.explode(") })
		assert.Contains(t, s.log.String(), "timeout_test.explode(", "the stack of the line that panicked")
		assert.Contains(t, s.log.String(), "boom")
		if v.desc != "HTTP/2" {
			assert.Contains(t, stack, "timeout_test.explode(")
		}
	})
}

// A recovery inside sees it first, as without us.
func TestPanicRecoveredInside(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, timeout.New(timeout.Config{Limit: watchdog})(recovered(http.HandlerFunc(
			func(http.ResponseWriter, *http.Request) { explode(errBoom) }))))
		res := s.get(t)
		assert.Equal(t, http.StatusInternalServerError, res.status)
		assert.Equal(t, "recovered\n", res.body)
	})
}

// And one outside can answer for it, HTTP/2's own goroutine or not.
func TestPanicRecoveredOutside(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, recovered(timeout.New(timeout.Config{Limit: watchdog})(http.HandlerFunc(
			func(http.ResponseWriter, *http.Request) { explode(errBoom) }))))
		res := s.get(t)
		assert.Equal(t, http.StatusInternalServerError, res.status)
		assert.Equal(t, "recovered\n", res.body)
	})
}

// http.ErrAbortHandler passes as itself and is not logged.
func TestAbortInTime(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		values, stacks := make(chan any, 1), make(chan string, 1)
		endings := make(chan exchange.Ending, 1)
		s := v.start(t, chain(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "part")
			flush(w)
			panic(http.ErrAbortHandler)
		}), caught(values, stacks), observed(endings, nil), timeout.New(timeout.Config{Limit: watchdog})))
		res := s.get(t)
		assert.Error(t, res.err)
		assert.Equal(t, any(http.ErrAbortHandler), receive(t, values, "the abort"))
		e := receive(t, endings, "the ending")
		assert.True(t, e.Aborted)
		assert.Nil(t, e.Panic)
		assert.NotContains(t, s.log.String(), "panic")
	})
}

// runtime.Goexit (t.FailNow in a handler, for one) ends the request, and no more.
func TestGoexitInTime(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		endings := make(chan exchange.Ending, 1)
		s := v.start(t, chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { runtime.Goexit() }),
			observed(endings, nil), timeout.New(timeout.Config{Limit: watchdog})))
		assert.Error(t, s.get(t).err)
		e := receive(t, endings, "the ending")
		assert.True(t, e.Aborted)
	})
}

// A panic after the deadline has nobody to answer: it goes to the observer, and
// without one to the ErrorLog, with the line that panicked. The answer stands,
// and the process lives.
func TestPanicAfterTheDeadline(t *testing.T) {
	late := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		explode(errBoom)
	})
	everywhere(t, func(t *testing.T, v variant) {
		t.Run("ErrorLog", func(t *testing.T) {
			s := v.start(t, timeout.New(timeout.Config{Limit: limit})(late))
			assert.Equal(t, http.StatusGatewayTimeout, s.get(t).status)
			settled(func() bool { return strings.Contains(s.log.String(), "boom") })
			assert.Contains(t, s.log.String(), "http: panic in a handler after its deadline: boom")
			assert.Contains(t, s.log.String(), "timeout_test.explode(")
		})
		t.Run("observer", func(t *testing.T) {
			lates := make(chan lateEnd, 1)
			s := v.start(t, observed(nil, lates)(timeout.New(timeout.Config{Limit: limit})(late)))
			assert.Equal(t, http.StatusGatewayTimeout, s.get(t).status)
			l := receive(t, lates, "the late end")
			assert.Equal(t, any(errBoom), l.panicked)
			assert.Contains(t, l.stack, "timeout_test.explode(")
			assert.NotContains(t, s.log.String(), "boom", "once is enough")
		})
		t.Run("ErrAbortHandler", func(t *testing.T) {
			lates := make(chan lateEnd, 1)
			s := v.start(t, observed(nil, lates)(timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
				func(_ http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					panic(http.ErrAbortHandler)
				}))))
			assert.Equal(t, http.StatusGatewayTimeout, s.get(t).status)
			receive(t, lates, "the late end")
			assert.NotContains(t, s.log.String(), "panic")
		})
		t.Run("Goexit", func(t *testing.T) {
			endings, lates, release := make(chan exchange.Ending, 1), make(chan lateEnd, 1), make(chan struct{})
			s := v.start(t, observed(endings, lates)(timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
				func(_ http.ResponseWriter, _ *http.Request) {
					<-release
					runtime.Goexit()
				}))))
			answered := make(chan got, 1)
			req := s.request(t, http.MethodGet, http.NoBody)
			go func() { answered <- s.do(t, req) }()
			assert.True(t, receive(t, endings, "the ending").Abandoned)
			close(release)
			assert.Nil(t, receive(t, lates, "the late end").panicked)
			assert.Equal(t, http.StatusGatewayTimeout, receive(t, answered, "the answer").status)
		})
	})
}
