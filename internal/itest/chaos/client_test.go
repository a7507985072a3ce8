package chaos_test

import (
	"io"
	"net"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

// client is a request in progress, in steps that both protocols have. If a step fails,
// the answer shows it.
type client interface {
	begin(a *act) error // sends the head
	send(p string, last bool) error
	receive(seen raw.Seen) raw.Answer
	// broken is closed when the connection has ended; nil if that is not known.
	broken() <-chan struct{}
	// leave disconnects without an answer, hard by a reset of the connection.
	leave(hard bool) raw.Answer
}

func toTheEnd(int, int) bool { return true }

// converse is a client that behaves.
func converse(a *act, c client) raw.Answer {
	if c.begin(a) == nil && a.req.Stalls {
		_ = c.send(a.up, true)
	}
	return c.receive(a.notices)
}

// notices reports to the handler that the client has some of the response.
func (a *act) notices(_, received int) bool {
	if received > 0 && !closed(a.seen) {
		close(a.seen)
	}
	return true
}

// ask lets a lazy client ask for everything.
func ask(c client) {
	if s, ok := c.(*http2); ok {
		_ = s.stream.Ask(1 << 30)
	}
}

// inPieces is converse with a pause after each part of the body.
func inPieces(sizes []int, pause func()) func(*act, client) raw.Answer {
	return func(a *act, c client) raw.Answer {
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
	*raw.HTTP1

	a    *act
	held *strings.Builder // what is not sent yet
}

// dial connects. Within patience all that is written must be accepted.
func (e *entry) dial() net.Conn {
	conn, err := net.DialTimeout("tcp", e.world.addr, patience)
	if err == nil {
		err = conn.SetWriteDeadline(time.Now().Add(patience))
	}
	if err != nil {
		e.acts[0].faultf("dialing: %v", err)
		return nil
	}
	return conn
}

func dialHTTP1(e *entry) *http1 {
	conn := e.dial()
	if conn == nil {
		return nil
	}
	c := raw.NewHTTP1(conn, "1.1")
	c.Patience = patience
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
	return c.put(a.req.Head("1.1"))
}

func (c *http1) send(p string, last bool) error {
	return c.put(c.a.req.Coded(p, last && c.a.req.Stalls))
}

func (c *http1) receive(seen raw.Seen) raw.Answer {
	c.Expect(&c.a.req)
	return c.ReceiveSome(seen)
}

func (c *http1) broken() <-chan struct{} { return nil }

func (c *http1) leave(hard bool) raw.Answer {
	if hard {
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
	}
	c.Closed = true
	_ = c.Close()
	return raw.Answer{End: left}
}

type http2 struct {
	*raw.HTTP2

	stream *raw.Stream
}

func dialHTTP2(e *entry) *raw.HTTP2 {
	conn := e.dial()
	if conn == nil {
		return nil
	}
	c := raw.NewHTTP2(conn, 65535)
	c.Patience = patience
	return c
}

func (c *http2) begin(a *act) (err error) {
	c.stream, err = c.Open(&a.req, a.lazy)
	return err
}

func (c *http2) send(p string, last bool) error { return c.stream.Send(p, last) }

func (c *http2) receive(seen raw.Seen) raw.Answer { return c.stream.Receive(seen).Neutral() }

func (c *http2) broken() <-chan struct{} { return c.Done() }

func (c *http2) leave(bool) raw.Answer {
	_ = c.stream.Reset()
	return raw.Answer{End: left}
}
