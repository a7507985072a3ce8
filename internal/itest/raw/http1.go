package raw

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// HTTP1 is a connection that speaks HTTP/1.0 or HTTP/1.1.
type HTTP1 struct {
	net.Conn

	In *bufio.Reader
	// Closed means that no other request can follow: the server has closed the
	// connection, has announced that it will close it, or has switched protocols.
	Closed bool
	// Patience is how long Receive waits. Default: the constant Patience.
	Patience time.Duration

	proto string
	last  *Request
}

// NewHTTP1 returns a client for a connection.
func NewHTTP1(conn net.Conn, proto string) *HTTP1 {
	return &HTTP1{Conn: conn, In: bufio.NewReaderSize(conn, 64<<10), Patience: Patience, proto: proto}
}

// DialHTTP1 connects until the test ends.
func DialHTTP1(t testing.TB, addr, proto string) *HTTP1 {
	t.Helper()
	return NewHTTP1(dialFor(t, addr), proto)
}

// DialSmall is like DialHTTP1, with the smallest receive buffer that the system
// allows.
func DialSmall(t testing.TB, addr, proto string) *HTTP1 {
	t.Helper()
	d := net.Dialer{Timeout: Patience, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { smallBuffer(fd) })
	}}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return NewHTTP1(conn, proto)
}

// Head returns the head of the request in HTTP/1.
func (r *Request) Head(proto string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\nHost: test\r\n", r.method(), r.path(), proto)
	for _, line := range r.Header {
		b.WriteString(line + "\r\n")
	}
	switch n := r.length(); {
	case n >= 0:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", n)
	case r.Length < 0:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// Coded returns a part of the body as HTTP/1 sends it.
func (r *Request) Coded(body string, last bool) string {
	if r.Length >= 0 {
		return body
	}
	if body != "" {
		body = fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
	}
	if last {
		body += "0\r\n"
		for _, line := range r.Trailer {
			body += line + "\r\n"
		}
		body += "\r\n"
	}
	return body
}

// Send implements Client.
func (c *HTTP1) Send(t testing.TB, r *Request) {
	t.Helper()
	c.Expect(r)
	c.Text(t, r.Head(c.proto)+r.Coded(r.Body, !r.Stalls && !r.bodiless()))
}

// Expect says that the next answer belongs to r, which was sent in another way.
func (c *HTTP1) Expect(r *Request) { c.last = r }

// Text sends a text that is not a request, or only a part of one.
func (c *HTTP1) Text(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Errorf("send: %v", err)
	}
}

// More implements Client.
func (c *HTTP1) More(t testing.TB, body string, last bool) {
	t.Helper()
	c.Text(t, c.last.Coded(body, last))
}

// fields returns the fields of the next head, and leaves the head unread.
func (c *HTTP1) fields() http.Header {
	for n := 1; ; n++ {
		p, err := c.In.Peek(max(n, c.In.Buffered()))
		if _, after, ok := bytes.Cut(p, []byte("\r\n")); ok {
			if bytes.Contains(p, []byte("\r\n\r\n")) {
				h, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(after))).ReadMIMEHeader()
				return http.Header(h)
			}
		}
		if err != nil {
			return nil
		}
		n = len(p)
	}
}

// Receive implements Client.
func (c *HTTP1) Receive(t testing.TB) Answer {
	t.Helper()
	a, proto := c.receive(nil)
	if a.Status != 0 && proto != c.proto {
		t.Errorf("the answer has version %s", proto)
	}
	return a
}

// ReceiveSome returns the next answer. It stops when seen returns false.
func (c *HTTP1) ReceiveSome(seen Seen) Answer {
	a, _ := c.receive(seen)
	return a
}

func (c *HTTP1) receive(seen Seen) (a Answer, proto string) {
	_ = c.SetReadDeadline(time.Now().Add(c.Patience))
	for {
		fields := c.fields()                                                        // http.ReadResponse removes some of them
		res, err := http.ReadResponse(c.In, &http.Request{Method: c.last.method()}) //nolint:bodyclose // Close would wait for the rest
		if err != nil {
			c.Closed = true
			a.End = broken(err, None)
			return a, ""
		}
		proto = strings.TrimPrefix(res.Proto, "HTTP/")
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			a.Early = append(a.Early, res.StatusCode)
			continue
		}
		a.Status, a.Header = res.StatusCode, fields
		if a.Status == http.StatusSwitchingProtocols {
			a.End = Whole
		} else {
			a.read(res.Body, seen)
			a.Trailer = res.Trailer
		}
		c.Closed = c.Closed || res.Close || a.Status == http.StatusSwitchingProtocols || a.End != Whole
		return a, proto
	}
}

// broken returns the end of an answer whose rest could not be read.
func broken(err error, end End) End {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Hangs
	}
	return end
}

// read reads the body. It stops when seen returns false.
func (a *Answer) read(body io.Reader, seen Seen) {
	if seen == nil {
		seen = func(int, int) bool { return true }
	}
	var all []byte
	defer func() { a.Body = string(all) }()
	if !seen(a.Status, 0) {
		a.End = Left
		return
	}
	for buf := make([]byte, 4096); ; {
		n, err := body.Read(buf)
		all = append(all, buf[:n]...)
		switch {
		case n > 0 && !seen(a.Status, len(all)):
			a.End = Left
			return
		case err == io.EOF:
			a.End = Whole
			return
		case err != nil:
			a.End = broken(err, Cut)
			return
		}
	}
}

// Ended implements Client.
func (c *HTTP1) Ended() error {
	_ = c.SetReadDeadline(time.Now().Add(c.Patience))
	n, err := io.Copy(io.Discard, c.In)
	if n > 0 {
		return errors.Join(fmt.Errorf("raw: %d more bytes came before the end", n), err)
	}
	if err == nil {
		return nil
	}
	return endOf(err)
}

// HalfClose implements Client. It does nothing if the connection was reset.
func (c *HTTP1) HalfClose(t testing.TB) {
	t.Helper()
	halfClose(t, c.Conn)
}

func halfClose(t testing.TB, conn net.Conn) {
	t.Helper()
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil && !errors.Is(err, syscall.ENOTCONN) { //nolint:forcetypeassert // dial made it
		t.Error(err)
	}
}

// Throttle reads the answer in pieces for the time d, with a pause before each
// piece.
func (c *HTTP1) Throttle(d time.Duration, piece int, pause time.Duration) {
	c.In = bufio.NewReaderSize(&throttled{c.Conn, time.Now().Add(d), piece, pause}, 64<<10)
}

type throttled struct {
	net.Conn

	until time.Time
	piece int
	pause time.Duration
}

func (c *throttled) Read(p []byte) (int, error) {
	if time.Now().Before(c.until) {
		time.Sleep(c.pause)
		p = p[:min(len(p), c.piece)]
	}
	return c.Conn.Read(p)
}
