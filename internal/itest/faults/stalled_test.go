//go:build wire

package faults_test

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestHeadBehindOtherStreams: while an HTTP/2 connection accepts nothing because of
// another stream, the deadline of a stream passes whose head waits for the connection.
// The record has the status if the client gets it.
func TestHeadBehindOtherStreams(t *testing.T) {
	const untilLogged = time.Hour
	for _, stall := range []time.Duration{0, 2 * limit, 5 * limit, untilLogged} {
		t.Run(stall.String(), func(t *testing.T) {
			t.Parallel()
			each(t, http2, stacks, outsides, func(t *testing.T, _ string, s *stack, o *outside) {
				ended := make(chan struct{})
				srv, records, g := gated(t, s, o, "~~~~", timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/first" {
						w.Header().Set("Marker", "~~~~")
						return
					}
					go func() {
						<-r.Context().Done()
						close(ended)
					}()
					_, _ = io.WriteString(w, "a word")
					_ = http.NewResponseController(w).Flush()
				}))
				c := raw.DialHTTP2(t, srv.Addr, 1<<20)
				first, err := c.Open(&raw.Request{Path: "/first"}, false)
				assert.NoError(t, err)
				await(t, g.held, "the head of the first stream")
				second, err := c.Open(&raw.Request{Path: "/second"}, false)
				assert.NoError(t, err)
				await(t, ended, "the end of the context")
				var seen []logging.Record
				switch {
				case stall != untilLogged:
					time.Sleep(stall)
				case s.logs:
					seen = append(seen, records.Next(t))
				}
				close(g.open)
				assert.Equal(t, 200, first.Receive(nil).Status)
				got := second.Receive(nil)
				if !s.logs {
					return
				}
				for len(seen) < 2 {
					seen = append(seen, records.Next(t))
				}
				for _, r := range seen {
					if r.Path == "/second" {
						assert.Equal(t, got.Status, r.Status, "%+v, the client got %+v", r, got)
						assert.Equal(t, logging.OutcomeDeadline, r.Outcome)
					}
				}
			})
		})
	}
}

// finalized is a listener that counts the connections that were accepted and are not
// in memory any more.
type finalized struct {
	net.Listener

	accepted, freed atomic.Int32
}

func (l *finalized) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	own := &ownConn{conn}
	l.accepted.Add(1)
	runtime.SetFinalizer(own, func(*ownConn) { l.freed.Add(1) })
	return own, nil
}

type ownConn struct{ net.Conn }

// TestMemoryOfAClosedConnection: an HTTP/2 connection whose streams were reset does not
// stay in memory until their deadlines.
func TestMemoryOfAClosedConnection(t *testing.T) {
	each(t, http2, stacks, outsides, func(t *testing.T, _ string, s *stack, o *outside) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		assert.NoError(t, err)
		conns := &finalized{Listener: l}
		begun := make(chan struct{})
		srv := raw.StartOn(t, &http.Server{Handler: o.mw(s.build(raw.NewRecords(), timeout.Config{Limit: time.Hour})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "a word")
			begun <- struct{}{}
			<-r.Context().Done()
		})))}, conns)
		for range 20 {
			c := raw.DialHTTP2(t, srv.Addr, 1<<20)
			stream, err := c.Open(&raw.Request{}, false)
			assert.NoError(t, err)
			<-begun
			assert.NoError(t, stream.Reset())
			assert.NoError(t, c.Close())
		}
		assert.Eventually(t, func() bool {
			runtime.GC()
			return conns.freed.Load() == conns.accepted.Load()
		}, raw.Patience, 50*time.Millisecond)
	})
}

// TestStuckWriteThatEnds: middleware outside has a writer without deadlines, so a write
// that the client does not read is stuck at the deadline. When the client reads, it
// sees that the response is incomplete.
func TestStuckWriteThatEnds(t *testing.T) {
	sizes := map[string]int{"1.1": 8 << 20, "2": 2 * raw.Window} // more than the kernel's buffers, or the window
	each(t, raw.Protocols[1:], stacks[:3], []outside{{"a plain wrapper", opaque, true}}, func(t *testing.T, proto string, s *stack, o *outside) {
		returned := make(chan struct{})
		srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			defer close(returned)
			_, _ = w.Write(make([]byte, sizes[proto]))
			_, _ = io.WriteString(w, "the rest")
		}))
		var receive func() raw.Answer
		if proto == "2" {
			stream, err := raw.DialHTTP2(t, srv.Addr, raw.Window).Open(&raw.Request{}, true)
			assert.NoError(t, err)
			receive = func() raw.Answer {
				assert.NoError(t, stream.Ask(2*raw.Window))
				return stream.Receive(nil)
			}
		} else {
			c := raw.DialHTTP1(t, srv.Addr, proto)
			c.Send(t, &raw.Request{})
			receive = func() raw.Answer { return c.Receive(t) }
		}
		if s.logs {
			r := records.Next(t)
			assert.Equal(t, line{Status: 200, Outcome: "deadline", Abandoned: true}, lineOf(r))
			assert.True(t, r.Truncated)
			assert.Positive(t, r.TTFB)
		} else {
			time.Sleep(limit + 2*time.Second) // until the end of the request no longer waits for the write
		}
		got := receive().Neutral()
		assert.Equal(t, [2]any{200, raw.Cut}, [2]any{got.Status, got.End})
		await(t, returned, "the handler's return")
		_ = srv.Close()
		alone(t, records)
	})
}
