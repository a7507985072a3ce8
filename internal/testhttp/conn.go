package testhttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Conn is a connection to an HTTP/1 server on which a test sends any bytes.
type Conn struct {
	net.Conn

	In *bufio.Reader
}

// Dial connects until the test ends.
func (s *Server) Dial(t testing.TB) *Conn {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	return &Conn{c, bufio.NewReader(c)}
}

// Raw sends lines, each with a CRLF, on a new connection, and returns everything
// that arrives until the connection ends.
func (s *Server) Raw(t testing.TB, lines ...string) string {
	t.Helper()
	c := s.Dial(t)
	c.SendLines(t, lines...)
	return c.Rest()
}

// Send sends text unchanged.
func (c *Conn) Send(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// SendLines sends lines, each with a CRLF.
func (c *Conn) SendLines(t testing.TB, lines ...string) {
	t.Helper()
	c.Send(t, strings.Join(lines, "\r\n")+"\r\n")
}

// SendHead sends the head of a request for /. Header lines are "Name: value".
func (c *Conn) SendHead(t testing.TB, method string, header ...string) {
	t.Helper()
	c.SendLines(t, append(append([]string{method + " / HTTP/1.1", "Host: test"}, header...), "")...)
}

// Receive reads the response to a request with the given method, and its body. The
// error says why the response or the body is incomplete.
func (c *Conn) Receive(method string) (*http.Response, string, error) {
	res, err := http.ReadResponse(c.In, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

// Response is like Receive, but ends the test if the response is incomplete.
func (c *Conn) Response(t testing.TB) (*http.Response, string) {
	t.Helper()
	res, body, err := c.Receive(http.MethodGet)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

// HalfClose closes the client's sending side.
func (c *Conn) HalfClose(t testing.TB) {
	t.Helper()
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		t.Fatalf("%T cannot be closed by half", c.Conn)
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// Rest returns everything that arrives until the connection ends, even if it ends
// with an error.
func (c *Conn) Rest() string {
	b, _ := io.ReadAll(c.In)
	return string(b)
}

// Closed waits until the server ends the connection. The test fails if the server
// sends anything before that.
func (c *Conn) Closed(t testing.TB) {
	t.Helper()
	if rest := c.Rest(); rest != "" {
		t.Fatalf("more came: %q", rest)
	}
}
