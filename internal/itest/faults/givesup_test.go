//go:build wire

package faults_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// timeoutHandler is http.TimeoutHandler, which also returns when its context ends.
func timeoutHandler(d time.Duration) middleware {
	return func(next http.Handler) http.Handler { return http.TimeoutHandler(next, d, "gave up") }
}

// TestTimeoutHandlerBetween: http.TimeoutHandler between logging and timeout returns
// while the deadline is being answered.
func TestTimeoutHandlerBetween(t *testing.T) {
	s := stack{"logging, TimeoutHandler, timeout", true, true, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), timeoutHandler(time.Minute), timeout.New(c))
	}}
	each(t, raw.Protocols, []stack{s}, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		release := make(latch)
		srv, records := serve(t, s, o, timeout.Config{Limit: limit, ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			time.Sleep(20 * time.Millisecond) // TimeoutHandler returns meanwhile
			late(w, r, err)
		}}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		t.Cleanup(release.open)
		got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
		assert.Equal(t, s.lateAnswer(proto, http.MethodGet, http.StatusGatewayTimeout), got.Stable())
		assert.Equal(t, line{Status: 504, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
		release.open()
		_ = srv.Close()
		alone(t, records)
	})
}

// TestDeadlineAfterAnAbortedRequest: a handler that is left behind when its request has
// ended with an abort calls the middleware with the deadline only then.
func TestDeadlineAfterAnAbortedRequest(t *testing.T) {
	each(t, every, []stack{whole}, outsides, func(t *testing.T, proto string, _ *stack, o *outside) {
		records, over, returned := raw.NewRecords(), make(chan struct{}), make(chan struct{})
		until := timeout.New(timeout.Config{Limit: limit / 10})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			time.Sleep(limit)
		}))
		h := bulwark.Chain(o.mw, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() {
					v := recover()
					time.AfterFunc(limit/10, func() { close(over) })
					if v != nil {
						panic(v)
					}
				}()
				next.ServeHTTP(w, r)
			})
		}, logging.New(records.Config()), timeoutHandler(limit))
		srv := raw.Start(t, &http.Server{Handler: h(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(returned)
			errs.Write(w, r, http.ErrAbortHandler)
			<-over
			until.ServeHTTP(w, r)
		}))})
		got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
		assert.Equal(t, 0, got.Status)
		assert.Equal(t, line{Outcome: "error"}, lineOf(records.Next(t)))
		await(t, returned, "the handler's return")
		alone(t, records)
	})
}

// slowControl delays the read deadlines that a middleware passes on.
type slowControl struct{ spanWriter }

func (w *slowControl) SetReadDeadline(t time.Time) error {
	time.Sleep(limit / 2)
	return http.NewResponseController(w.ResponseWriter).SetReadDeadline(t)
}

// TestDeadlineWhileTheClientLeaves: the deadline passes while the request ends with its
// client.
func TestDeadlineWhileTheClientLeaves(t *testing.T) {
	slow := &outside{"slow deadlines", func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&slowControl{spanWriter{w}}, r)
		})
	}, true}
	each(t, http2, stacks, []outside{*slow}, func(t *testing.T, _ string, s *stack, o *outside) {
		entered, release := make(chan struct{}), make(latch)
		srv, records := serve(t, s, o, timeout.Config{Limit: limit, Detach: true}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			<-release
		}))
		t.Cleanup(release.open)
		c := raw.DialHTTP2(t, srv.Addr, raw.Window)
		c.Send(t, &raw.Request{Method: http.MethodPost, Length: 9, Stalls: true})
		await(t, entered, "the handler")
		time.Sleep(limit / 3)
		assert.NoError(t, c.Stream().Reset()) // 100 ms later the request ends
		if s.logs {
			records.Next(t)
		}
		time.Sleep(limit)
		release.open()
		_ = srv.Close()
		alone(t, records)
	})
}
