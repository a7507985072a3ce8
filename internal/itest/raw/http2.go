package raw

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The frames of RFC 9113 section 6, and the flags that this package uses.
const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePing         = 6
	frameGoAway       = 7
	frameWindow       = 8
	frameContinuation = 9

	flagEnd        = 1 // END_STREAM, and ACK of SETTINGS and PING
	flagEndHeaders = 4

	maxFrame      = 16 << 10 // every peer accepts it (section 4.2)
	initialWindow = 65535    // of a stream and of the connection (section 6.9.2)
	settingWindow = 4
	codeCancel    = 8
)

// CodeInternal is INTERNAL_ERROR, a code of RST_STREAM.
const CodeInternal = 2

// HTTP2 is a connection with prior knowledge (RFC 9113 section 3.3). It may be
// used by many goroutines.
type HTTP2 struct {
	// Patience is how long Receive waits. Default: the constant Patience.
	Patience time.Duration

	conn  net.Conn
	in    *bufio.Reader
	ended chan struct{} // closed when the connection has ended

	mu      sync.Mutex // guards the fields below, and writes
	changed sync.Cond
	streams map[uint32]*Stream
	last    *Stream
	window  int // what may still be sent
	initial int // the same for a new stream
	away    bool
	pings   int    // that have been answered
	block   []byte // the beginning of a head that is not complete yet
	closing bool   // the head ends its stream
	err     error  // why the connection ended
}

// DialHTTP2 connects until the test ends. window is how much of a stream the server
// may send without a WINDOW_UPDATE.
func DialHTTP2(t testing.TB, addr string, window uint32) *HTTP2 {
	t.Helper()
	conn, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	c := NewHTTP2(conn, window)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// NewHTTP2 returns a client for a connection. The caller must close it.
func NewHTTP2(conn net.Conn, window uint32) *HTTP2 {
	c := &HTTP2{
		Patience: Patience, conn: conn, in: bufio.NewReader(conn), ended: make(chan struct{}),
		streams: map[uint32]*Stream{}, window: initialWindow, initial: initialWindow,
	}
	c.changed.L = &c.mu
	settings := binary.BigEndian.AppendUint32([]byte{0, 1}, 0)                           // no dynamic table
	settings = binary.BigEndian.AppendUint32(append(settings, 0, 2), 0)                  // no push
	settings = binary.BigEndian.AppendUint32(append(settings, 0, settingWindow), window) // of a stream
	c.mu.Lock()
	defer c.mu.Unlock()
	// The reader reports an error of the connection.
	_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	_ = c.write(frameSettings, 0, 0, settings)
	go c.read()
	return c
}

// write sends a frame, with mu held.
func (c *HTTP2) write(kind, flags byte, stream uint32, payload []byte) error {
	head := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(head, uint32(len(payload))<<8|uint32(kind))
	head[4] = flags
	binary.BigEndian.PutUint32(head[5:], stream)
	_, err := c.conn.Write(append(head, payload...))
	return err
}

// writeHead sends a header block, with mu held.
func (c *HTTP2) writeHead(stream uint32, block []byte, flags byte) error {
	kind := byte(frameHeaders)
	for {
		n := min(len(block), maxFrame)
		if n == len(block) {
			return c.write(kind, flags|flagEndHeaders, stream, block)
		}
		if err := c.write(kind, flags, stream, block[:n]); err != nil {
			return err
		}
		kind, flags, block = frameContinuation, 0, block[n:]
	}
}

// ask lets the server send n more bytes of a stream, with mu held; 0 is the connection.
func (c *HTTP2) ask(stream uint32, n int) error {
	return c.write(frameWindow, 0, stream, binary.BigEndian.AppendUint32(nil, uint32(n)))
}

// Open sends the request, or as much of it as r has, on a new stream. With lazy the
// server may only send as much of the response as the window, and what Ask allows.
func (c *HTTP2) Open(r *Request, lazy bool) (*Stream, error) {
	s, err := c.open(r, lazy)
	if err != nil || r.Body == "" && (r.Stalls || r.bodiless()) {
		return s, err
	}
	if err = s.Send(r.Body, !r.Stalls && len(r.Trailer) == 0); err == nil && len(r.Trailer) > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		err = c.writeHead(s.id, encodeLines(nil, r.Trailer), flagEnd)
	}
	if errors.Is(err, ErrOver) {
		err = nil // the answer has already come
	}
	return s, err
}

func (c *HTTP2) open(r *Request, lazy bool) (*Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &Stream{c: c, id: 1, window: c.initial, lazy: lazy, answer: Answer{End: None}}
	if c.last != nil {
		s.id = c.last.id + 2
	}
	c.last, c.streams[s.id] = s, s
	if c.err != nil {
		s.end(None)
		return s, c.err
	}
	var block []byte
	for _, f := range [][2]string{{":method", r.method()}, {":scheme", "http"}, {":authority", "test"}, {":path", r.path()}} {
		block = encode(block, f[0], f[1])
	}
	block = encodeLines(block, r.Header)
	if n := r.length(); n >= 0 {
		block = encode(block, "content-length", strconv.Itoa(n))
	}
	var flags byte
	if r.bodiless() {
		flags = flagEnd
	}
	return s, c.writeHead(s.id, block, flags)
}

func encodeLines(p []byte, lines []string) []byte {
	for _, line := range lines {
		k, v, _ := strings.Cut(line, ": ")
		p = encode(p, k, v)
	}
	return p
}

// Send implements Client. Each request is a new stream.
func (c *HTTP2) Send(t testing.TB, r *Request) {
	t.Helper()
	_, _ = c.Open(r, false) // the reader reports an error of the connection
}

// More implements Client.
func (c *HTTP2) More(_ testing.TB, body string, last bool) { _ = c.Stream().Send(body, last) }

// Receive implements Client.
func (c *HTTP2) Receive(testing.TB) Answer { return c.Stream().Receive(nil) }

// Stream returns the stream of the last request.
func (c *HTTP2) Stream() *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// GoneAway reports whether a GOAWAY was received.
func (c *HTTP2) GoneAway() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.away
}

// Done is closed when the connection has ended.
func (c *HTTP2) Done() <-chan struct{} { return c.ended }

// Err returns why the connection ended, or nil if it has not.
func (c *HTTP2) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Ended implements Client.
func (c *HTTP2) Ended() error {
	select {
	case <-c.ended:
		return endOf(c.Err())
	case <-time.After(c.Patience):
		return os.ErrDeadlineExceeded
	}
}

// LocalAddr implements Client.
func (c *HTTP2) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// Close implements Client. It ends all streams.
func (c *HTTP2) Close() error {
	err := c.conn.Close()
	<-c.ended
	return err
}

// HalfClose implements Client. It closes the sending side of the connection.
// net/http's server treats this as the end of the connection.
func (c *HTTP2) HalfClose(t testing.TB) {
	t.Helper()
	halfClose(t, c.conn)
}

// GoAway announces that no more streams will be opened.
func (c *HTTP2) GoAway() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(frameGoAway, 0, 0, make([]byte, 8))
}

// Sync returns when the server has read everything that was sent, or the connection
// has ended.
func (c *HTTP2) Sync() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.write(framePing, 0, 0, make([]byte, 8))
	for before := c.pings; c.pings == before && c.err == nil; {
		c.changed.Wait()
	}
}
