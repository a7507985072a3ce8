//go:build wire

package faults_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestShutdownWithAStuckHandler: Server.Shutdown does not wait for a handler that is
// stuck past its deadline, whatever happened before.
func TestShutdownWithAStuckHandler(t *testing.T) {
	for _, tt := range []struct {
		desc   string
		do     func(http.ResponseWriter, *http.Request)
		leaves bool // the client leaves while do runs
	}{
		{"nothing done", func(http.ResponseWriter, *http.Request) {}, false},
		{"a response under way", func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() }, false},
		{"an aborted response", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			errs.Write(w, r, errUnknown)
		}, false},
		{"a disconnect", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true},
		{"a failed write", func(w http.ResponseWriter, _ *http.Request) {
			for piece := make([]byte, 16<<10); ; {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}, true},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			each(t, every, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				entered, release := make(chan struct{}), make(latch)
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					close(entered)
					tt.do(w, r)
					<-release
				}))
				t.Cleanup(release.open)
				c := raw.Dial(t, srv.Addr, proto)
				c.Send(t, &raw.Request{})
				await(t, entered, "the handler")
				if tt.leaves {
					_ = c.Close()
				}
				ctx, cancel := context.WithTimeout(t.Context(), raw.Patience)
				defer cancel()
				assert.NoError(t, srv.Shutdown(ctx))
				assert.False(t, release.isOpen(), "the handler is still stuck")
				release.open()
				if s.logs {
					records.Next(t)
					alone(t, records)
				}
			})
		})
	}
}

// TestRequestAfterABaseContextEnded: a request whose context ended before it began is
// served without delay.
func TestRequestAfterABaseContextEnded(t *testing.T) {
	each(t, every, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		records := raw.NewRecords()
		base, cancel := context.WithCancel(t.Context())
		cancel()
		srv := raw.Start(t, &http.Server{
			Handler: o.mw(s.build(records, timeout.Config{Limit: raw.Patience})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "hello")
			}))),
			BaseContext: func(net.Listener) context.Context { return base },
		})
		fastest := raw.Patience
		for range 5 {
			c := raw.DialOnce(t, srv.Addr, proto)
			began := time.Now()
			got := raw.Do(t, c, &raw.Request{})
			fastest = min(fastest, time.Since(began))
			assert.NoError(t, c.Close())
			assert.Equal(t, [3]any{200, "hello", raw.Whole}, [3]any{got.Status, got.Body, got.End})
			if s.logs {
				assert.Equal(t, line{Status: 200, Outcome: "ok"}, lineOf(records.Next(t)))
			}
		}
		assert.Less(t, fastest, 100*time.Millisecond)
	})
}

// TestMemoryAfterADisconnect: when the handler has returned, a deadline that is far away
// does not keep the request in memory.
func TestMemoryAfterADisconnect(t *testing.T) {
	type data struct{ large [1 << 10]byte }
	each(t, every, []stack{whole}, outsides[:1], func(t *testing.T, proto string, s *stack, o *outside) {
		entered, release, freed := make(chan struct{}), make(latch), make(chan struct{})
		held := &outside{o.desc, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				d := new(data)
				runtime.AddCleanup(d, func(freed chan struct{}) { close(freed) }, freed)
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), spanKey{}, d)))
			})
		}, true}
		srv, records := serve(t, s, held, timeout.Config{Limit: time.Hour}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			for piece := make([]byte, 16<<10); ; {
				if _, err := w.Write(piece); err != nil {
					break
				}
			}
			<-release
		}))
		t.Cleanup(release.open)
		c := raw.Dial(t, srv.Addr, proto)
		c.Send(t, &raw.Request{})
		await(t, entered, "the handler")
		_ = c.Close()
		records.Next(t)
		release.open()
		assert.Eventually(t, func() bool {
			runtime.GC()
			select {
			case <-freed:
				return true
			default:
				return false
			}
		}, raw.Patience, limit/10)
	})
}
