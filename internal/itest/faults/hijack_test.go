//go:build wire

package faults_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestHijackAtTheDeadline: a hijack at the moment of the deadline is either refused, and
// the client has the answer at the deadline, or it lifts the deadline, and the
// connection works in both directions.
func TestHijackAtTheDeadline(t *testing.T) {
	const short = 20 * time.Millisecond
	for i := -10; i <= 10; i++ {
		for _, flushed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d us, early hints %t", i*100, flushed), func(t *testing.T) {
				t.Parallel()
				each(t, []string{"1.1"}, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
					type result struct {
						err, ctx error
						deadline bool
					}
					hijacked := make(chan result, 1)
					srv, records := serve(t, s, o, timeout.Config{Limit: short}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						at, _ := r.Context().Deadline()
						if flushed {
							w.WriteHeader(http.StatusEarlyHints)
						}
						for time.Until(at) > time.Duration(i)*100*time.Microsecond {
							runtime.Gosched() // no timer is exact enough
						}
						conn, rw, err := http.NewResponseController(w).Hijack()
						if err != nil {
							hijacked <- result{err: err}
							return
						}
						defer conn.Close()
						_, err = io.WriteString(conn, switching)
						assert.NoError(t, err)
						line, err := rw.ReadString('\n') // the client has the 101
						assert.NoError(t, err)
						_, err = io.WriteString(conn, line)
						assert.NoError(t, err)
						_, has := r.Context().Deadline()
						hijacked <- result{ctx: r.Context().Err(), deadline: has}
					}))
					c := raw.DialHTTP1(t, srv.Addr, proto)
					got := raw.Do(t, c, &raw.Request{Header: []string{"Connection: Upgrade", "Upgrade: test"}})
					got.Early = nil
					if got.Status != 101 {
						assert.Equal(t, s.lateAnswer(proto, "GET", 504), got.Stable())
						assert.Error(t, (<-hijacked).err)
						if s.logs {
							l := lineOf(records.Next(t))
							l.Abandoned = false
							assert.Equal(t, line{Status: 504, Outcome: "deadline"}, l)
						}
						return
					}
					time.Sleep(short / 4) // a lifted deadline does nothing later either
					c.Text(t, "ping\n")
					echo, err := c.In.ReadString('\n')
					assert.NoError(t, err)
					assert.Equal(t, "ping\n", echo)
					assert.Equal(t, result{}, <-hijacked)
					assert.NoError(t, c.Ended())
					if s.logs {
						assert.Equal(t, line{Status: 101, Outcome: "upgraded"}, lineOf(records.Next(t)))
						alone(t, records)
					}
				})
			})
		}
	}
}

// TestHijackAfterTheDeadline: it is refused.
func TestHijackAfterTheDeadline(t *testing.T) {
	each(t, []string{"1.1"}, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		result := make(chan error, 1)
		srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			_, _, err := http.NewResponseController(w).Hijack()
			assert.ErrorIs(t, context.Cause(r.Context()), context.DeadlineExceeded)
			result <- err
		}))
		c := raw.Dial(t, srv.Addr, proto)
		assert.Equal(t, s.lateAnswer(proto, "GET", 504), raw.Do(t, c, &raw.Request{}).Stable())
		assert.Error(t, <-result)
		if s.logs {
			l := lineOf(records.Next(t))
			l.Abandoned = false
			assert.Equal(t, line{Status: 504, Outcome: "deadline"}, l)
		}
	})
}
