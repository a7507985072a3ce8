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
