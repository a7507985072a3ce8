//go:build wire

package faults_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestReachedAfterTheDeadline: packages inside the deadline that a request reaches only
// after it do not change the result: there is one record, that of the 504, and the
// client gets nothing else.
func TestReachedAfterTheDeadline(t *testing.T) {
	layouts := []struct {
		desc  string
		logs  bool
		build func(r *raw.Records, slow middleware) middleware
	}{
		{"logging", true, func(r *raw.Records, slow middleware) middleware {
			return bulwark.Chain(timeout.New(timeout.Config{Limit: limit}), slow, logging.New(r.Config()))
		}},
		{"logging with ResponseHeaders", true, func(r *raw.Records, slow middleware) middleware {
			c := r.Config()
			c.ResponseHeaders = []string{"Content-Type", "X-Handler"}
			return bulwark.Chain(timeout.New(timeout.Config{Limit: limit}), slow, logging.New(c))
		}},
		{"logging, limits, Recover", true, func(r *raw.Records, slow middleware) middleware {
			return bulwark.Chain(timeout.New(timeout.Config{Limit: limit}), slow, logging.New(r.Config()), limits.New(limits.Config{MaxBodyBytes: 1}), errs.Recover)
		}},
		{"limits, Recover, logging around", true, func(r *raw.Records, slow middleware) middleware {
			return bulwark.Chain(logging.New(r.Config()), timeout.New(timeout.Config{Limit: limit}), slow, limits.New(limits.Config{MaxInFlight: 1}), errs.Recover)
		}},
		{"another timeout", true, func(r *raw.Records, slow middleware) middleware {
			return bulwark.Chain(logging.New(r.Config()), timeout.New(timeout.Config{Limit: limit}), slow, timeout.New(timeout.Config{Limit: limit}))
		}},
	}
	handlers := []struct {
		desc string
		do   func(http.ResponseWriter, *http.Request)
	}{
		{"writes", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Handler", "late")
			_, err := io.WriteString(w, "late")
			assert.ErrorIs(t, err, http.ErrHandlerTimeout)
		}},
		{"returns", func(http.ResponseWriter, *http.Request) {}},
		{"returns an error", func(w http.ResponseWriter, r *http.Request) { errs.Write(w, r, errTeapot) }},
		{"panics", func(http.ResponseWriter, *http.Request) { panic("late") }},
		{"flushes", func(w http.ResponseWriter, _ *http.Request) { http.NewResponseController(w).Flush() }},
	}
	for _, l := range layouts {
		for _, h := range handlers {
			t.Run(l.desc+"/"+h.desc, func(t *testing.T) {
				t.Parallel()
				each(t, every, []stack{{l.desc, true, false, nil}}, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
					records, release, reached := raw.NewRecords(), make(latch), make(chan struct{})
					slow := func(next http.Handler) http.Handler {
						return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							<-r.Context().Done()
							<-release
							defer close(reached)
							next.ServeHTTP(w, r)
						})
					}
					srv := raw.Start(t, &http.Server{Handler: o.mw(l.build(records, slow)(http.HandlerFunc(h.do)))})
					t.Cleanup(release.open)
					c := raw.Dial(t, srv.Addr, proto)
					got := raw.Do(t, c, &raw.Request{})
					if proto == "2" && o.touches && got.End == raw.Reset {
						got.End, got.Code = raw.Whole, 0
					}
					assert.Equal(t, (&stack{}).lateAnswer(proto, "GET", 504), got.Stable())
					release.open()
					await(t, reached, "the end of the inner handlers")
					l := lineOf(records.Next(t))
					l.Abandoned = false // only a package that was reached before knows it
					assert.Equal(t, line{Status: 504, Outcome: "deadline"}, l)
					time.Sleep(limit / 10)
					alone(t, records)
				})
			})
		}
	}
}
