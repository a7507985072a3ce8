package raw

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// Stream is a request on an HTTP/2 connection. Its fields are guarded by the
// connection's mu.
type Stream struct {
	c      *HTTP2
	id     uint32
	lazy   bool
	window int // what may still be sent

	answer Answer
	body   []byte
	over   bool
}

// ErrOver is the error of Send if the stream has ended.
var ErrOver = errors.New("raw: the stream has ended")

// Send sends a part of the body. It waits until the server allows it.
func (s *Stream) Send(p string, last bool) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for {
		for !s.over && p != "" && (s.window <= 0 || s.c.window <= 0) {
			s.c.changed.Wait()
		}
		if s.over {
			return ErrOver
		}
		n := min(len(p), maxFrame)
		if n > 0 {
			n = min(n, s.window, s.c.window)
		}
		s.window -= n
		s.c.window -= n
		var flags byte
		if last && n == len(p) {
			flags = flagEnd
		}
		if err := s.c.write(frameData, flags, s.id, []byte(p[:n])); err != nil {
			return err
		}
		if p = p[n:]; p == "" {
			return nil
		}
	}
}

// Reset ends the stream, but not the connection.
func (s *Stream) Reset() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.end(Left)
	return s.c.write(frameReset, 0, s.id, binary.BigEndian.AppendUint32(nil, codeCancel))
}

// Ask lets the server send n more bytes.
func (s *Stream) Ask(n int) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.over {
		return nil
	}
	return s.c.ask(s.id, n)
}

// Receive returns the answer when the answer has ended, or as soon as seen returns
// false. If seen is nil, it waits for the end.
func (s *Stream) Receive(seen Seen) Answer {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	late := false
	timer := time.AfterFunc(c.Patience, func() {
		c.mu.Lock()
		late = true
		c.mu.Unlock()
		c.changed.Broadcast()
	})
	defer timer.Stop()
	for status, received := 0, 0; ; {
		for !late && !s.over && s.answer.Status == status && len(s.body) == received {
			c.changed.Wait()
		}
		if more := s.answer.Status != status || len(s.body) != received; more && seen != nil {
			status, received = s.answer.Status, len(s.body)
			c.mu.Unlock()
			wanted := seen(status, received)
			c.mu.Lock()
			if !wanted && !s.over {
				return s.so(Left)
			}
			continue
		}
		switch {
		case s.over:
			return s.so(s.answer.End)
		case late:
			return s.so(Hangs)
		}
		status, received = s.answer.Status, len(s.body)
	}
}

// so returns the part of the answer that has arrived so far. mu is held.
func (s *Stream) so(end End) Answer {
	a := s.answer
	a.Early, a.Body, a.End = slices.Clone(a.Early), string(s.body), end
	return a
}

// end ends the stream if it has not ended yet. mu is held. What arrives later is
// ignored.
func (s *Stream) end(end End) {
	if !s.over {
		s.over, s.answer.End = true, end
	}
}

// read reads what the server sends until the connection ends.
func (c *HTTP2) read() {
	defer close(c.ended)
	for {
		kind, flags, id, p, err := c.frame()
		c.mu.Lock()
		if err == nil {
			err = c.take(kind, flags, id, p)
		}
		if err != nil {
			c.err = err
			for _, s := range c.streams {
				if s.answer.Status == 0 {
					s.end(None)
				}
				s.end(Cut)
			}
		}
		c.mu.Unlock()
		c.changed.Broadcast()
		if err != nil {
			return
		}
	}
}

func (c *HTTP2) frame() (kind, flags byte, stream uint32, p []byte, err error) {
	var head [9]byte
	if _, err = io.ReadFull(c.in, head[:]); err != nil {
		return
	}
	p = make([]byte, binary.BigEndian.Uint32(head[:])>>8)
	_, err = io.ReadFull(c.in, p)
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1), p, err
}

// take handles a frame. mu is held. If a write fails, the next read reports the
// error.
func (c *HTTP2) take(kind, flags byte, id uint32, p []byte) error {
	s := c.streams[id]
	switch kind {
	case frameSettings:
		if flags&flagEnd == 0 {
			c.settings(p)
		}
	case framePing:
		if flags&flagEnd != 0 {
			c.pings++
		} else {
			_ = c.write(framePing, flagEnd, 0, p)
		}
	case frameGoAway:
		c.away = true
	case frameWindow:
		switch n := int(binary.BigEndian.Uint32(p)); {
		case id == 0:
			c.window += n
		case s != nil:
			s.window += n
		}
	case frameHeaders, frameContinuation:
		return c.head(s, flags, kind, p)
	case frameData:
		s.data(flags, p)
	case frameReset:
		if !s.over {
			s.answer.Code = binary.BigEndian.Uint32(p)
			s.end(Reset)
		}
	}
	return nil
}

func (c *HTTP2) settings(p []byte) {
	for ; len(p) >= 6; p = p[6:] {
		if binary.BigEndian.Uint16(p) == settingWindow {
			v := int(binary.BigEndian.Uint32(p[2:]))
			for _, s := range c.streams {
				s.window += v - c.initial
			}
			c.initial = v
		}
	}
	_ = c.write(frameSettings, flagEnd, 0, nil)
}

// head handles a part of a header block.
func (c *HTTP2) head(s *Stream, flags, kind byte, p []byte) error {
	if kind == frameHeaders {
		c.closing = flags&flagEnd != 0
	}
	c.block = append(c.block, p...)
	if flags&flagEndHeaders == 0 {
		return nil
	}
	block := c.block
	c.block = nil
	if s.over {
		return nil
	}
	if err := s.answer.head(block); err != nil {
		return err
	}
	if c.closing {
		s.end(Whole)
	}
	return nil
}

// head handles a header block: an informational response, the head, or trailers.
func (a *Answer) head(block []byte) error {
	status, h, err := decode(block)
	if err != nil {
		return err
	}
	if status == "" {
		a.Trailer = h
		return nil
	}
	n, err := strconv.Atoi(status)
	switch {
	case err != nil:
		return fmt.Errorf("raw: status %q", status)
	case n < 200:
		a.Early = append(a.Early, n)
	default:
		a.Status, a.Header = n, h
	}
	return nil
}

// data handles a part of the body, and allows the server to send more.
func (s *Stream) data(flags byte, p []byte) {
	end := flags&flagEnd != 0
	if len(p) > 0 {
		_ = s.c.ask(0, len(p))
		if !s.lazy && !end {
			_ = s.c.ask(s.id, len(p))
		}
	}
	if s.over {
		return
	}
	s.body = append(s.body, p...)
	if end {
		s.end(Whole)
	}
}
