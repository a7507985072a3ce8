package measure

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conveyor is the server's end of a connection in memory. The same request arrives
// on it many times without a pause. When all have a response, the connection ends.
// What the server writes is counted and dropped.
//
// The requests are pipelined because that adds the least cost. If a client waited
// for each response, the server would start and stop a goroutine for every request,
// to notice whether the client leaves.
type conveyor struct {
	raw  []byte
	want []byte // how each response begins
	warm int    // this many responses are not timed

	mu       sync.Mutex
	change   sync.Cond // signaled if something that Read waits for has changed
	asked    int
	answered int
	unread   int // bytes of all requests that have not been read yet
	readBy   time.Time
	strange  string // the first line of a response that does not begin as wanted

	start  time.Time // when the response to the warm-th request was written
	end    time.Time // when the last response was written
	closed chan struct{}
	once   sync.Once
}

func newConveyor(raw []byte, status, warm, n int) *conveyor {
	c := &conveyor{
		raw: raw, want: fmt.Appendf(nil, "HTTP/1.1 %d ", status), warm: warm,
		asked: n, unread: n * len(raw),
		closed: make(chan struct{}),
	}
	c.change.L = &c.mu
	return c
}

// Read reads requests. After the last request it blocks, like a connection whose
// client sends nothing more, and obeys the deadline, because the server stops its
// read in the background with a past deadline. Before the last request it ignores
// the deadline. Otherwise scheduling would decide whether the server also reads in
// the background for the next request.
func (c *conveyor) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.unread == 0 && c.answered < c.asked && !c.isClosed() && !c.late() {
		c.change.Wait()
	}
	switch {
	case c.isClosed():
		return 0, net.ErrClosed
	case c.unread == 0 && c.late():
		return 0, os.ErrDeadlineExceeded
	case c.unread == 0:
		return 0, io.EOF
	}
	read := 0
	for read < len(p) && c.unread > 0 {
		at := (len(c.raw) - c.unread%len(c.raw)) % len(c.raw)
		n := copy(p[read:], c.raw[at:])
		read, c.unread = read+n, c.unread-n
	}
	return read, nil
}

func (c *conveyor) late() bool { return !c.readBy.IsZero() && !time.Now().Before(c.readBy) }

func (c *conveyor) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

var statusLine = []byte("HTTP/1.1 ")

// Write counts responses. net/http begins each response with a new Write.
func (c *conveyor) Write(p []byte) (int, error) {
	if c.isClosed() {
		return 0, net.ErrClosed
	}
	if !bytes.HasPrefix(p, statusLine) {
		return len(p), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered++
	switch c.answered {
	case c.warm:
		c.start = time.Now()
	case c.asked:
		c.end = time.Now()
	}
	if c.strange == "" && !bytes.HasPrefix(p, c.want) {
		line, _, _ := bytes.Cut(p, []byte("\r\n"))
		c.strange = string(line)
	}
	if c.answered >= c.asked {
		c.change.Broadcast()
	}
	return len(p), nil
}

func (c *conveyor) Close() error {
	c.once.Do(func() {
		close(c.closed)
	})
	c.wake()
	return nil
}

// wake makes Read check again.
func (c *conveyor) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change.Broadcast()
}

func (c *conveyor) SetReadDeadline(t time.Time) error {
	if left := time.Until(t); left > 0 {
		time.AfterFunc(left, c.wake)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readBy = t
	c.change.Broadcast()
	return nil
}

// SetWriteDeadline does nothing, because no Write blocks.
func (c *conveyor) SetWriteDeadline(time.Time) error { return nil }

func (c *conveyor) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *conveyor) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

func (c *conveyor) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 41234}
}

// err returns an error if the responses were wrong.
func (c *conveyor) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.strange != "":
		return fmt.Errorf("answered %q", c.strange)
	case c.answered != c.asked:
		return fmt.Errorf("answered %d of %d requests", c.answered, c.asked)
	default:
		return nil
	}
}
