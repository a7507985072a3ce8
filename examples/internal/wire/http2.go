package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// HTTP2 is a connection with any number of streams.
type HTTP2 struct {
	conn   net.Conn
	frames *http2.Framer
	ended  chan struct{}

	mu      sync.Mutex // guards what follows, and writing
	changed sync.Cond
	block   bytes.Buffer
	encoder *hpack.Encoder
	streams map[uint32]*Stream
	last    uint32
	window  int64 // what may still be sent
	initial int64 // the same for a new stream
	away    bool
	pinged  bool
	err     error // why the connection ended
}

// DialHTTP2 connects for as long as patience, and begins with prior knowledge
// (RFC 9113 section 3.3).
func DialHTTP2(addr string, patience time.Duration) (*HTTP2, error) {
	conn, err := dial(addr, patience)
	if err != nil {
		return nil, err
	}
	c := &HTTP2{
		conn: conn, frames: http2.NewFramer(conn, conn), ended: make(chan struct{}),
		streams: map[uint32]*Stream{}, window: 65535, initial: 65535,
	}
	c.changed.L = &c.mu
	c.encoder = hpack.NewEncoder(&c.block)
	c.frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err = io.WriteString(conn, http2.ClientPreface); err == nil {
		err = c.frames.WriteSettings()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	go c.read()
	return c, nil
}

// Reusable tells that the connection takes another request.
func (c *HTTP2) Reusable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.away && c.err == nil
}

// Done is closed when the connection has ended.
func (c *HTTP2) Done() <-chan struct{} { return c.ended }

// Err is why the connection ended, nil while it lives.
func (c *HTTP2) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and with it all streams.
func (c *HTTP2) Close() error {
	err := c.conn.Close()
	<-c.ended
	return err
}

// GoAway says that no more streams are to come.
func (c *HTTP2) GoAway() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames.WriteGoAway(0, http2.ErrCodeNo, nil)
}

// Sync returns when the server has taken in all that was sent, or the connection
// has ended. It works once.
func (c *HTTP2) Sync() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.frames.WritePing(false, [8]byte{})
	for !c.pinged && c.err == nil {
		c.changed.Wait()
	}
}

// Open sends the request, what there is of it, as a new stream. greedy tells that
// the client takes what comes; else what has not been asked for stays with the
// server.
func (c *HTTP2) Open(r *Request, greedy bool) (*Stream, error) {
	s, err := c.open(r, greedy)
	if err == nil && (r.Body != "" || !r.Bodiless() && !r.Stalls) {
		if err = s.Send(r.Body, !r.Stalls); errors.Is(err, ErrOver) {
			err = nil // the answer is there already
		}
	}
	return s, err
}

// maxFrame is what every peer takes (RFC 9113 section 4.2).
const maxFrame = 16 << 10

func (c *HTTP2) open(r *Request, greedy bool) (*Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == 0 {
		c.last = 1
	} else {
		c.last += 2
	}
	s := &Stream{c: c, id: c.last, window: c.initial, greedy: greedy}
	c.streams[s.id] = s
	if c.err != nil {
		s.end(None)
		return s, c.err
	}
	block := c.encode(r)
	first := block[:min(len(block), maxFrame)]
	rest := block[len(first):]
	err := c.frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: s.id, BlockFragment: first, EndHeaders: len(rest) == 0, EndStream: r.Bodiless(),
	})
	for err == nil && len(rest) > 0 {
		n := min(len(rest), maxFrame)
		err = c.frames.WriteContinuation(s.id, n == len(rest), rest[:n])
		rest = rest[n:]
	}
	return s, err
}

// encode returns the header block, which the next call overwrites.
func (c *HTTP2) encode(r *Request) []byte {
	c.block.Reset()
	field := func(name, value string) {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value}) // to memory
	}
	field(":method", r.Method)
	field(":scheme", "http")
	field(":authority", "test")
	field(":path", r.Path)
	for _, k := range r.fields() {
		field(strings.ToLower(k), r.Header[k])
	}
	if n := r.Length(); n >= 0 {
		field("content-length", strconv.Itoa(n))
	}
	return c.block.Bytes()
}

// read takes in what the server sends until the connection ends.
func (c *HTTP2) read() {
	defer close(c.ended)
	for {
		f, err := c.frames.ReadFrame()
		c.mu.Lock()
		if err != nil {
			c.err = err
			for _, s := range c.streams {
				s.end(s.broken())
			}
			c.mu.Unlock()
			c.changed.Broadcast()
			return
		}
		c.take(f)
		c.mu.Unlock()
		c.changed.Broadcast()
	}
}

// take takes in a frame, with mu held. A write that fails is the reader's to find.
func (c *HTTP2) take(f http2.Frame) {
	s := c.streams[f.Header().StreamID]
	switch f := f.(type) {
	case *http2.SettingsFrame:
		c.settings(f)
	case *http2.PingFrame:
		if f.IsAck() {
			c.pinged = true
		} else {
			_ = c.frames.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		c.away = true
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			c.window += int64(f.Increment)
		} else if s != nil {
			s.window += int64(f.Increment)
		}
	case *http2.MetaHeadersFrame:
		s.head(f)
	case *http2.DataFrame:
		s.data(f)
	case *http2.RSTStreamFrame:
		if s != nil {
			s.end(s.broken())
		}
	}
}

func (c *HTTP2) settings(f *http2.SettingsFrame) {
	if f.IsAck() {
		return
	}
	if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
		for _, s := range c.streams {
			s.window += int64(v) - c.initial
		}
		c.initial = int64(v)
	}
	_ = c.frames.WriteSettingsAck()
}

func header(f *http2.MetaHeadersFrame) http.Header {
	h := http.Header{}
	for _, field := range f.RegularFields() {
		h.Add(field.Name, field.Value)
	}
	return h
}
