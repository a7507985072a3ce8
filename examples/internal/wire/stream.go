package wire

import (
	"errors"
	"strconv"

	"golang.org/x/net/http2"
)

// Stream is a request on an HTTP/2 connection. What is not a method's argument
// is guarded by the connection's mu.
type Stream struct {
	c      *HTTP2
	id     uint32
	greedy bool
	window int64

	answer Answer
	body   []byte
	over   bool
}

// ErrOver is the error of a Send on a stream that has ended.
var ErrOver = errors.New("wire: the stream has ended")

// Send sends some of the body, as far as the server allows; last tells that
// nothing more comes.
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
		n := int(min(int64(len(p)), s.window, s.c.window, maxFrame))
		if p == "" {
			n = 0
		}
		s.window -= int64(n)
		s.c.window -= int64(n)
		if err := s.c.frames.WriteData(s.id, last && n == len(p), []byte(p[:n])); err != nil {
			return err
		}
		if p = p[n:]; p == "" {
			return nil
		}
	}
}

// Reset ends the stream; the connection lives on.
func (s *Stream) Reset() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.end(Left)
	return s.c.frames.WriteRSTStream(s.id, http2.ErrCodeCancel)
}

// Ask lets the server send as much as it likes from now on.
func (s *Stream) Ask() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.greedy || s.over {
		return nil
	}
	s.greedy = true
	return s.c.frames.WriteWindowUpdate(s.id, 1<<30)
}

// Receive returns the answer when it has ended.
func (s *Stream) Receive(seen Seen) Answer {
	status, received := 0, 0
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for {
		for !s.over && s.answer.Status == status && len(s.body) == received {
			s.c.changed.Wait()
		}
		if s.answer.Status != status || len(s.body) != received {
			status, received = s.answer.Status, len(s.body)
			s.c.mu.Unlock()
			on := seen(status, received)
			s.c.mu.Lock()
			if !on && !s.over {
				a := s.answer
				a.Body, a.End = string(s.body), Left
				return a
			}
			continue
		}
		a := s.answer
		a.Body = string(s.body)
		return a
	}
}

// head takes in a header block: early, final, or the trailers.
func (s *Stream) head(f *http2.MetaHeadersFrame) {
	a := &s.answer
	switch status, err := strconv.Atoi(f.PseudoValue("status")); {
	case err != nil:
		a.Trailer, _ = flat(header(f))
	case status < 200:
		a.Early = append(a.Early, status)
	default:
		a.Status = status
		a.Header, a.ID = flat(header(f))
	}
	if f.StreamEnded() {
		s.end(Whole)
	}
}

// data takes in some of the body, and makes room for more.
func (s *Stream) data(f *http2.DataFrame) {
	s.body = append(s.body, f.Data()...)
	if n := f.Length; n > 0 {
		_ = s.c.frames.WriteWindowUpdate(0, n)
		if s.greedy && !f.StreamEnded() {
			_ = s.c.frames.WriteWindowUpdate(s.id, n)
		}
	}
	if f.StreamEnded() {
		s.end(Whole)
	}
}

func (s *Stream) end(how Ending) {
	if !s.over {
		s.over, s.answer.End = true, how
	}
}

// broken is how a stream ended that was reset.
func (s *Stream) broken() Ending {
	switch length, err := strconv.Atoi(s.answer.Header["Content-Length"]); {
	case s.answer.Status == 0:
		return None
	case err == nil && len(s.body) == length:
		return Reset
	default:
		return Cut
	}
}
