package chaos_test

import (
	"io"
	"net"
	"strings"

	"github.com/bulwark-go/bulwark/examples/internal/wire"
)

// client is a request on its way, in steps that both protocols have. That a step
// fails shows in the answer.
type client interface {
	begin(a *act) error // sends the head
	send(p string, last bool) error
	receive(seen wire.Seen) wire.Answer
	// broken is closed when the connection is gone; nil where nobody can tell.
	broken() <-chan struct{}
	// leave goes without an answer, hard by a reset of the connection.
	leave(hard bool) wire.Answer
}

func toTheEnd(int, int) bool { return true }

// converse is a client that behaves.
func converse(a *act, c client) wire.Answer {
	if c.begin(a) == nil && a.req.Stalls {
		_ = c.send(a.up, true)
	}
	return c.receive(a.notices)
}

// notices tells the handler that the client has some of the response.
func (a *act) notices(_, received int) bool {
	if received > 0 && !closed(a.seen) {
		close(a.seen)
	}
	return true
}

// ask lets a client that took no more than it must take all.
func ask(c client) {
	if s, ok := c.(*http2); ok {
		_ = s.stream.Ask()
	}
}

// inPieces is converse with a pause after each part of the body.
func inPieces(sizes []int, pause func()) func(*act, client) wire.Answer {
	return func(a *act, c client) wire.Answer {
		err := c.begin(a)
		rest := a.up
		for i := 0; err == nil && rest != ""; i++ {
			n := min(len(rest), sizes[i%len(sizes)])
			err = c.send(rest[:n], n == len(rest))
			rest = rest[n:]
			pause()
		}
		return c.receive(a.notices)
	}
}

type http1 struct {
	*wire.HTTP1

	a    *act
	held *strings.Builder // what is not sent yet
}

func dialHTTP1(e *entry) *http1 {
	c, err := wire.DialHTTP1(e.world.addr, patience)
	if err != nil {
		e.acts[0].faultf("dialling: %v", err)
		return nil
	}
	return &http1{HTTP1: c}
}

func (c *http1) put(p string) error {
	if c.held != nil {
		c.held.WriteString(p)
		return nil
	}
	_, err := io.WriteString(c, p)
	return err
}

func (c *http1) release() {
	p := c.held.String()
	c.held = nil
	_ = c.put(p)
}

func (c *http1) begin(a *act) error {
	c.a = a
	return c.put(a.req.Head())
}

func (c *http1) send(p string, last bool) error {
	p = c.a.req.Coded(p)
	if last && c.a.req.Stalls && c.a.req.Declared < 0 {
		p += "0\r\n\r\n"
	}
	return c.put(p)
}

func (c *http1) receive(seen wire.Seen) wire.Answer {
	answer, _ := c.Receive(c.a.req.Method, seen) // the answer says how it ended
	return answer
}

func (c *http1) broken() <-chan struct{} { return nil }

func (c *http1) leave(hard bool) wire.Answer {
	if hard {
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
	}
	c.Closed = true
	_ = c.Close()
	return wire.Answer{End: left}
}

type http2 struct {
	*wire.HTTP2

	stream *wire.Stream
}

func dialHTTP2(e *entry) *wire.HTTP2 {
	c, err := wire.DialHTTP2(e.world.addr, patience)
	if err != nil {
		e.acts[0].faultf("dialling: %v", err)
		return nil
	}
	return c
}

func (c *http2) begin(a *act) (err error) {
	c.stream, err = c.Open(&a.req, !a.lazy)
	return err
}

func (c *http2) send(p string, last bool) error { return c.stream.Send(p, last) }

func (c *http2) receive(seen wire.Seen) wire.Answer { return c.stream.Receive(seen) }

func (c *http2) broken() <-chan struct{} { return c.Done() }

func (c *http2) leave(bool) wire.Answer {
	_ = c.stream.Reset()
	return wire.Answer{End: left}
}
