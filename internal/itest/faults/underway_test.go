//go:build wire

package faults_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// gates is a listener whose connections hold back all writes from the one with a marker
// on, until the gate opens or a write deadline passes.
type gates struct {
	net.Listener

	marker []byte
	held   chan struct{} // closed when a write is held back
	open   chan struct{}
	once   sync.Once
}

func (g *gates) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gatedConn{TCPConn: c.(*net.TCPConn), of: g, expired: make(chan struct{})}, nil
}

type gatedConn struct {
	*net.TCPConn

	of      *gates
	shut    atomic.Bool
	once    sync.Once
	expired chan struct{}
}

func (c *gatedConn) SetWriteDeadline(t time.Time) error {
	if !t.IsZero() && time.Until(t) <= 0 {
		c.once.Do(func() { close(c.expired) })
	}
	return c.TCPConn.SetWriteDeadline(t)
}

func (c *gatedConn) SetDeadline(t time.Time) error {
	if !t.IsZero() && time.Until(t) <= 0 {
		c.once.Do(func() { close(c.expired) })
	}
	return c.TCPConn.SetDeadline(t)
}

func (c *gatedConn) Close() error {
	c.once.Do(func() { close(c.expired) })
	return c.TCPConn.Close()
}

func (c *gatedConn) Write(p []byte) (int, error) {
	if bytes.Contains(p, c.of.marker) || c.shut.Load() {
		c.shut.Store(true)
		c.of.once.Do(func() { close(c.of.held) })
		select {
		case <-c.of.open:
		case <-c.expired:
		case <-time.After(raw.Patience):
		}
	}
	return c.TCPConn.Write(p)
}

// gated starts a server behind gates.
func gated(t *testing.T, s *stack, o *outside, marker string, c timeout.Config, h http.Handler) (*raw.Server, *raw.Records, *gates) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	g := &gates{Listener: l, marker: []byte(marker), held: make(chan struct{}), open: make(chan struct{})}
	records := raw.NewRecords()
	return raw.StartOn(t, &http.Server{Handler: o.mw(s.build(records, c)(h))}, g), records, g
}

// TestInformationalResponseUnderWay: a 1xx that is being written at the deadline is
// completed, and the answer follows.
func TestInformationalResponseUnderWay(t *testing.T) {
	for _, status := range []int{100, 102, 103} {
		each(t, every[1:], stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
			marker := "Marker: here"
			if proto == "2" {
				marker = "here" // as a literal it is no longer than in Huffman's code
			}
			promptly(t, func(t *testing.T) (time.Duration, func()) {
				release, ended, wrote := make(latch), make(chan struct{}), make(chan time.Duration, 1)
				srv, records, g := gated(t, s, o, marker, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					at, _ := r.Context().Deadline()
					go func() {
						<-r.Context().Done()
						close(ended)
					}()
					w.Header().Set("Marker", "here")
					w.WriteHeader(status)
					wrote <- time.Since(at)
					<-release
				}))
				t.Cleanup(release.open)
				if proto == "2" || status == 100 {
					close(g.open) // net/http sends the head of a 100 by itself, and HTTP/2's from another goroutine
				}
				c := raw.Dial(t, srv.Addr, proto)
				c.Send(t, &raw.Request{})
				if proto != "2" && status != 100 {
					await(t, g.held, "the 1xx")
					await(t, ended, "the end of the context")
					close(g.open)
				}
				got := c.Receive(t)
				return <-wrote, func() {
					if proto == "2" && o.touches && got.End == raw.Reset {
						got.End, got.Code = raw.Whole, 0
					}
					want := s.lateAnswer(proto, "GET", 504)
					want.Early = []int{status}
					assert.Equal(t, want, got.Stable())
					if s.logs {
						assert.Equal(t, line{Status: 504, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
					}
				}
			})
		})
	}
}

// TestInformationalResponseStuck: a 1xx that cannot be written breaks the connection,
// and no status is logged that the client has not seen.
func TestInformationalResponseStuck(t *testing.T) {
	each(t, []string{"1.1"}, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		srv, records, g := gated(t, s, o, "Marker: here", timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Marker", "here")
			w.WriteHeader(103)
		}))
		c := raw.Dial(t, srv.Addr, proto)
		c.Send(t, &raw.Request{})
		await(t, g.held, "the 1xx")
		began := time.Now()
		got := c.Receive(t)
		assert.Less(t, time.Since(began), raw.Patience*3/4, "the connection is not bounded")
		assert.Equal(t, [2]any{0, raw.None}, [2]any{got.Status, got.End})
		if s.logs {
			l := lineOf(records.Next(t))
			l.Abandoned, l.Intended = false, 0
			assert.Equal(t, line{Outcome: "deadline"}, l)
		}
	})
}

// TestFlushUnderWay: a head that is being sent at the deadline is that of the response,
// and the record has its status.
func TestFlushUnderWay(t *testing.T) {
	each(t, every, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		release, ended := make(latch), make(chan struct{})
		srv, records, g := gated(t, s, o, "~~~~", timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			go func() {
				<-r.Context().Done()
				close(ended)
			}()
			w.Header().Set("Marker", "~~~~") // longer in Huffman's code
			w.Write([]byte("begun"))
			http.NewResponseController(w).Flush()
			<-release
		}))
		t.Cleanup(release.open)
		c := raw.Dial(t, srv.Addr, proto)
		c.Send(t, &raw.Request{})
		await(t, g.held, "the head")
		await(t, ended, "the end of the context")
		close(g.open)
		got := c.Receive(t)
		assert.NotEqual(t, raw.Whole, got.End, "%+v", got)
		assert.Contains(t, []int{0, 200}, got.Status)
		if s.logs {
			l := lineOf(records.Next(t))
			l.Abandoned, l.Intended = false, 0
			assert.Equal(t, line{Status: got.Status, Outcome: "deadline"}, l)
		}
	})
}

// TestFirstByteUnderWay: a stream whose first byte is being sent in time is not aborted
// because of its limit.
func TestFirstByteUnderWay(t *testing.T) {
	each(t, every, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		srv, records, g := gated(t, s, o, "~~~~", timeout.Config{Limit: limit, Stream: 20 * limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Marker", "~~~~")
			_, err := io.WriteString(w, "begun")
			assert.NoError(t, err)
			assert.NoError(t, http.NewResponseController(w).Flush())
			assert.NoError(t, r.Context().Err())
		}))
		c := raw.Dial(t, srv.Addr, proto)
		c.Send(t, &raw.Request{})
		await(t, g.held, "the head")
		time.Sleep(limit * 3 / 2)
		close(g.open)
		got := c.Receive(t)
		assert.Equal(t, [3]any{200, "begun", raw.Whole}, [3]any{got.Status, got.Body, got.End})
		if s.logs {
			assert.Equal(t, line{Status: 200, Outcome: "ok"}, lineOf(records.Next(t)))
		}
	})
}
