package exchange_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

var errBoom = errors.New("boom")

// facts are the parts of an ending that do not depend on time.
type facts struct {
	outcome                    exchange.Outcome
	status, intended           int
	in, out                    int64
	cut, abandoned, unanswered bool
	panicked                   any
}

func factsOf(e exchange.Ending) facts {
	return facts{
		e.Outcome, e.Status, e.Intended, e.BytesIn, e.BytesOut,
		e.Cut, e.Abandoned, e.Unanswered, e.Panic,
	}
}

func cut(r *http.Request) { exchange.From(r.Context()).Response().Abort() }

// exceeds returns a handler that sends 5 bytes, and then tries to send more than the
// rest of its Content-Length.
func exceeds(t *testing.T, length string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", length)
		_, _ = io.WriteString(w, "hello")
		flushIt(w)
		_, err := io.WriteString(w, "too much")
		assert.Error(t, err)
	}
}

// The report of each ending is the same on both protocols, and for any middleware inside
// the observer.
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
			facts{unanswered: true, outcome: exchange.Panic, panicked: errBoom}},
		{"panic, unflushed", "POST", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			panic(errBoom)
		}, facts{intended: 200, out: 5, unanswered: true, outcome: exchange.Panic, panicked: errBoom}},
		{"panic, flushed", "POST", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			flushIt(w)
			panic(errBoom)
		}, facts{status: 200, out: 5, unanswered: true, outcome: exchange.Panic, panicked: errBoom}},
		{"ErrAbortHandler", "POST", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			facts{outcome: exchange.Aborted, unanswered: true}},
		{"ErrAbortHandler, flushed", "POST", func(w http.ResponseWriter, _ *http.Request) {
			flushIt(w)
			panic(http.ErrAbortHandler)
		}, facts{status: 200, outcome: exchange.Aborted, unanswered: true}},
		{"Goexit", "POST", func(http.ResponseWriter, *http.Request) { runtime.Goexit() },
			facts{outcome: exchange.Aborted, unanswered: true}},
		{"cut, flushed", "POST", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "hello")
			flushIt(w)
			cut(r)
			_, err := io.WriteString(w, "more")
			assert.Error(t, err)
		}, facts{outcome: exchange.Error, status: 200, out: 5, cut: true}},
		{"cut, unflushed: what there was goes out", "POST", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "hello")
			cut(r)
		}, facts{outcome: exchange.Error, status: 200, out: 5, cut: true}},
		{"declared and complete: it stands", "POST", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
			cut(r)
		}, facts{status: 200, out: 5}},
		{"cut, not begun", "POST", func(_ http.ResponseWriter, r *http.Request) {
			cut(r)
		}, facts{outcome: exchange.Error, cut: true}},
		{"short", "POST", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "hello")
		}, facts{status: 200, out: 5, outcome: exchange.ShortBody}},
		{"more than declared: the rest is not sent", "POST", exceeds(t, "5"), facts{status: 200, out: 5}},
		{"short, because the rest was too much", "POST", exceeds(t, "10"), facts{status: 200, out: 5, outcome: exchange.ShortBody}},
		{"deadline", "POST", func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, facts{status: 504, out: int64(len("Gateway Timeout\n")), outcome: exchange.DeadlineHit}},
		{"deadline, unflushed", "POST", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "hello")
			<-r.Context().Done()
		}, facts{status: 200, out: 5, outcome: exchange.DeadlineHit, cut: true}},
		{"deadline, a status too late", "POST", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusTeapot)
		}, facts{status: 504, out: int64(len("Gateway Timeout\n")), outcome: exchange.DeadlineHit}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				o := newObserver()
				s := p.Start(t, o.watch(timeout.New(timeout.Config{Limit: limit})(tc.serve)))
				err := s.Do(s.Request(t, tc.method, "/", strings.NewReader("body"))).Err
				e := o.ending(t)
				got := factsOf(e)
				if tc.want.outcome == exchange.DeadlineHit { // it may have returned before the test looks
					tc.want.abandoned = got.abandoned
				}
				tc.want.outcome = cmp.Or(tc.want.outcome, exchange.OK)
				assert.Equal(t, tc.want, got)
				broken := tc.want.cut || tc.want.unanswered || tc.want.outcome == exchange.ShortBody
				assert.Equal(t, broken, err != nil, "%v", err)
				assert.GreaterOrEqual(t, e.Duration, e.FirstByte)
				assert.Empty(t, o.ended, "once")
			})
		})
	}
}

// A client that disconnects is a 499 for the log, and nothing is sent.
func TestEndingClientGone(t *testing.T) {
	for _, tc := range []struct {
		desc  string
		begin func(http.ResponseWriter)
		want  facts
	}{
		{"before anything was sent", func(http.ResponseWriter) {}, facts{outcome: exchange.Gone, status: 499, intended: 200}},
		{"after", func(w http.ResponseWriter) { flushIt(w) }, facts{outcome: exchange.Gone, status: 200}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				o, in := newObserver(), make(chan struct{})
				s := p.Start(t, o.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					tc.begin(w)
					close(in)
					<-r.Context().Done()
					assert.Equal(t, exchange.ErrClientGone, context.Cause(r.Context()))
				})))
				ctx, leave := context.WithCancel(t.Context())
				go func() { <-in; leave() }()
				err := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody).WithContext(ctx)).Err
				require.ErrorIs(t, err, context.Canceled)
				assert.Equal(t, tc.want, factsOf(o.ending(t)))
			})
		})
	}
}

// If the client disconnects before the deadline and the handler stays until after it,
// the end is reported once, as a disconnect.
func TestEndingClientGoneAtTheDeadline(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		o, in := newObserver(), make(chan struct{})
		h := o.watch(timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(in)
			<-r.Context().Done()
			assert.Equal(t, exchange.ErrClientGone, context.Cause(r.Context()))
			<-time.After(10 * limit)
			assert.Equal(t, exchange.ErrClientGone, context.Cause(r.Context()), "after the deadline")
		})))
		p.InMemory(t, h, func(t *testing.T, s *testhttp.Server) {
			ctx, leave := context.WithCancel(t.Context())
			go func() { <-in; leave() }()
			require.ErrorIs(t, s.Do(s.Request(t, http.MethodGet, "/", http.NoBody).WithContext(ctx)).Err, context.Canceled)
		})
		e := o.ending(t)
		assert.Equal(t, exchange.Gone, e.Outcome)
		assert.Equal(t, 499, e.Status)
		assert.Empty(t, o.ended, "reported twice")
	})
}

// An abandoned handler is reported at the deadline, and once more when it returns.
func TestEndingAbandoned(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		o, stuck := newObserver(), make(chan struct{})
		s := p.Start(t, o.watch(timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(http.ResponseWriter, *http.Request) { <-stuck }))))
		err := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody)).Err
		require.NoError(t, err)
		e := o.ending(t)
		assert.Equal(t, facts{status: 504, out: int64(len("Gateway Timeout\n")), outcome: exchange.DeadlineHit, abandoned: true}, factsOf(e))
		assert.Empty(t, o.late)
		close(stuck)
		assert.Nil(t, <-o.late)
	})
}

// A write that a deadline ends may have sent nothing, not even the status. Then the
// status is not recorded as sent.
func TestEndingOfAWriteThatSentNothing(t *testing.T) {
	for _, tt := range []struct {
		desc  string
		write func(http.ResponseWriter) error
	}{
		{"a flush", func(w http.ResponseWriter) error {
			_, _ = w.Write(make([]byte, 3000))
			return http.NewResponseController(w).Flush()
		}},
		{"a write", func(w http.ResponseWriter) error {
			_, err := w.Write(make([]byte, 20_000))
			return err
		}},
		{"a large write", func(w http.ResponseWriter) error {
			_, err := io.WriteString(w, strings.Repeat("x", 200_000))
			return err
		}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				o := newObserver()
				s := p.Start(t, o.watch(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					assert.NoError(t, http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)))
					assert.Error(t, tt.write(w))
				})))
				got := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody))
				require.Error(t, got.Err)
				require.Zero(t, got.Status)
				e := o.ending(t)
				assert.Equal(t, 0, e.Status)
				assert.Equal(t, 200, e.Intended)
			})
		})
	}
}

// The pattern that an inner mux matched is known, also at a deadline.
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
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				o := newObserver()
				mux := http.NewServeMux()
				mux.HandleFunc("GET /{$}", tc.serve)
				s := p.Start(t, o.watch(timeout.New(timeout.Config{Limit: limit})(mux)))
				s.Do(s.Request(t, http.MethodGet, "/", http.NoBody))
				assert.Equal(t, "GET /{$}", o.ending(t).Route)
			})
		})
	}
}
