package exchange_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/timeout"
)

var errBoom = errors.New("boom")

// facts are those of an ending that do not depend on time.
type facts struct {
	status, intended                                           int
	in, out                                                    int64
	deadline, gone, cut, aborted, short, abandoned, unanswered bool
	panicked                                                   any
}

func factsOf(e exchange.Ending) facts {
	return facts{
		e.Status, e.Intended, e.BytesIn, e.BytesOut,
		e.Deadline, e.ClientGone, e.Cut, e.Aborted, e.Short, e.Abandoned, e.Unanswered, e.Panic,
	}
}

func cut(r *http.Request) { exchange.From(r.Context()).Cut() }

// What is told of each ending, the same on both protocols and whatever stands
// inside of the observer.
func TestEnding(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		method string
		serve  http.HandlerFunc
		want   facts
	}{
		{"ok", "POST", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "hello")
		}, facts{status: 201, in: 4, out: 5}},
		{"flushed", "POST", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			flushIt(w)
		}, facts{status: 200, out: 5}},
		{"nothing written", "POST", func(http.ResponseWriter, *http.Request) {}, facts{status: 200}},
		{"204", "POST", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}, facts{status: 204}},
		{"HEAD", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
		}, facts{status: 200}},
		{"panic", "POST", func(http.ResponseWriter, *http.Request) { panic(errBoom) },
			facts{unanswered: true, panicked: errBoom}},
		{"panic, unflushed", "POST", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			panic(errBoom)
		}, facts{intended: 200, out: 5, unanswered: true, panicked: errBoom}},
		{"panic, flushed", "POST", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			flushIt(w)
			panic(errBoom)
		}, facts{status: 200, out: 5, unanswered: true, panicked: errBoom}},
		{"ErrAbortHandler", "POST", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			facts{unanswered: true, aborted: true}},
		{"ErrAbortHandler, flushed", "POST", func(w http.ResponseWriter, _ *http.Request) {
			flushIt(w)
			panic(http.ErrAbortHandler)
		}, facts{status: 200, unanswered: true, aborted: true}},
		{"Goexit", "POST", func(http.ResponseWriter, *http.Request) { runtime.Goexit() },
			facts{unanswered: true, aborted: true}},
		{"cut, flushed", "POST", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "hello")
			flushIt(w)
			cut(r)
			_, err := io.WriteString(w, "more")
			assert.Error(t, err)
		}, facts{status: 200, out: 5, cut: true}},
		{"cut, unflushed: what there was goes out", "POST", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "hello")
			cut(r)
		}, facts{status: 200, out: 5, cut: true}},
		{"cut, declared and whole: it must not go out", "POST", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
			cut(r)
		}, facts{intended: 200, out: 5, cut: true}},
		{"cut, not begun: nothing to cut", "POST", func(_ http.ResponseWriter, r *http.Request) {
			cut(r)
		}, facts{status: 200}},
		{"short", "POST", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "hello")
		}, facts{status: 200, out: 5, short: true}},
		{"deadline", "POST", func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, facts{status: 504, out: int64(len("Gateway Timeout\n")), deadline: true}},
		{"deadline, unflushed", "POST", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "hello")
			<-r.Context().Done()
		}, facts{status: 200, out: 5, deadline: true, cut: true}},
		{"deadline, a status too late", "POST", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusTeapot)
		}, facts{status: 504, out: int64(len("Gateway Timeout\n")), deadline: true}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, major int) {
				o := newObserver()
				s := start(t, major, o.watch(timeout.New(timeout.Config{Limit: limit})(tc.serve)))
				_, _, err := s.do(t, tc.method, strings.NewReader("body"))
				e := o.ending(t)
				got := factsOf(e)
				if tc.want.deadline { // it may well be back before anybody looks
					tc.want.abandoned = got.abandoned
				}
				assert.Equal(t, tc.want, got)
				broken := tc.want.cut || tc.want.unanswered || tc.want.short
				assert.Equal(t, broken, err != nil, "%v", err)
				assert.GreaterOrEqual(t, e.Duration, e.FirstByte)
				assert.Empty(t, o.ended, "once")
			})
		})
	}
}

// A client that leaves: 499 for the log, nothing on the wire.
func TestEndingClientGone(t *testing.T) {
	for _, tc := range []struct {
		desc  string
		begin func(http.ResponseWriter)
		want  facts
	}{
		{"before anything was sent", func(http.ResponseWriter) {}, facts{gone: true, cut: true}},
		{"after", func(w http.ResponseWriter) { flushIt(w) }, facts{status: 200, gone: true}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, major int) {
				o, in := newObserver(), make(chan struct{})
				s := start(t, major, o.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					tc.begin(w)
					close(in)
					<-r.Context().Done()
					assert.Equal(t, exchange.ErrClientGone, context.Cause(r.Context()))
				})))
				ctx, leave := context.WithCancel(t.Context())
				go func() { <-in; leave() }()
				_, _, err := s.doCtx(ctx, t, http.MethodGet, http.NoBody)
				require.ErrorIs(t, err, context.Canceled)
				assert.Equal(t, tc.want, factsOf(o.ending(t)))
			})
		})
	}
}

// The client had left when the deadline passed: nobody is answered.
func TestEndingClientGoneAtTheDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, major int) {
		o, in := newObserver(), make(chan struct{})
		s := start(t, major, o.watch(timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) {
				close(in)
				<-r.Context().Done()
				assert.Equal(t, exchange.ErrClientGone, context.Cause(r.Context()))
				<-o.ended
				o.ended <- exchange.Ending{}
			}))))
		_ = s
		ctx, leave := context.WithCancel(t.Context())
		go func() { <-in; leave() }()
		_, _, err := s.doCtx(ctx, t, http.MethodGet, http.NoBody)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// An abandoned handler: told of at the deadline, and once more at its end.
func TestEndingAbandoned(t *testing.T) {
	everywhere(t, func(t *testing.T, major int) {
		o, stuck := newObserver(), make(chan struct{})
		s := start(t, major, o.watch(timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(http.ResponseWriter, *http.Request) { <-stuck }))))
		_, _, err := s.do(t, http.MethodGet, http.NoBody)
		require.NoError(t, err)
		e := o.ending(t)
		assert.Equal(t, facts{status: 504, out: int64(len("Gateway Timeout\n")), deadline: true, abandoned: true}, factsOf(e))
		assert.Empty(t, o.late)
		close(stuck)
		assert.Nil(t, <-o.late)
	})
}

// The pattern that a mux matched further in is known, also at a deadline.
func TestEndingRoute(t *testing.T) {
	for _, tc := range []struct {
		desc  string
		serve http.HandlerFunc
	}{
		{"in time", func(http.ResponseWriter, *http.Request) {}},
		{"at the deadline", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Any", "thing")
			<-r.Context().Done()
		}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, major int) {
				o := newObserver()
				mux := http.NewServeMux()
				mux.HandleFunc("GET /{$}", tc.serve)
				s := start(t, major, o.watch(timeout.New(timeout.Config{Limit: limit})(mux)))
				_, _, _ = s.do(t, http.MethodGet, http.NoBody)
				assert.Equal(t, "GET /{$}", o.ending(t).Route)
			})
		})
	}
}
