// Package raw has servers and clients for tests that look at every byte. The
// clients speak HTTP/1.0, HTTP/1.1 and HTTP/2 without net/http's client. They can
// send what net/http's client would refuse to send. They also report how each
// response ended; net/http's client does not report this if it has the whole body.
// They need only the standard library.
package raw

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Patience is how long to wait for an event that must happen. It matters only if a
// test fails.
const Patience = 10 * time.Second

// End is how a response ended.
type End string

// The ends.
const (
	Whole End = "whole" // the response is complete according to its framing
	Cut   End = "cut"   // the connection ended within it
	Reset End = "reset" // RST_STREAM
	None  End = "none"  // there was no response
	Hangs End = "hangs" // the rest did not come in time
	Left  End = "left"  // the client did not wait for the rest
)

// Answer is everything that a client sees of a response.
type Answer struct {
	Early   []int // statuses of informational responses
	Status  int   // 0: no head came
	Header  http.Header
	Body    string
	Trailer http.Header
	End     End
	Code    uint32 // the code of the RST_STREAM that ended the response
}

// Field returns the value of a header field, "" without one.
func (a *Answer) Field(name string) string { return a.Header.Get(name) }

// Stable returns the answer without the fields that differ from request to request.
func (a Answer) Stable() Answer {
	a.Header = a.Header.Clone()
	for _, name := range []string{"Date", "X-Request-Id"} {
		a.Header.Del(name)
	}
	return a
}

// Neutral returns the answer in terms that apply to both protocols. A reset stream
// counts as a closed connection. The end stays Reset only if all of the declared
// body came before the reset.
func (a Answer) Neutral() Answer {
	if a.End != Reset {
		return a
	}
	a.Code = 0
	switch {
	case a.Status == 0:
		a.End = None
	case a.Field("Content-Length") != strconv.Itoa(len(a.Body)):
		a.End = Cut
	}
	return a
}

// Request is what a client sends.
type Request struct {
	Method, Path string   // GET, /
	Header       []string // "Name: value"
	Body         string
	Length       int  // the declared length; 0: the length of Body; -1: none, so the body is chunked
	Stalls       bool // the end of the body is withheld
	Trailer      []string
}

// Set adds a header field, or replaces it.
func (r *Request) Set(name, value string) {
	r.Header = slices.DeleteFunc(r.Header, func(line string) bool {
		k, _, _ := strings.Cut(line, ": ")
		return strings.EqualFold(k, name)
	})
	r.Header = append(r.Header, name+": "+value)
}

func (r *Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func (r *Request) path() string {
	if r.Path == "" {
		return "/"
	}
	return r.Path
}

// bodiless reports whether the request has no body.
func (r *Request) bodiless() bool { return r.Body == "" && r.Length == 0 && !r.Stalls }

// length returns the Content-Length, or -1 if none is sent.
func (r *Request) length() int {
	switch {
	case r.Length < 0 || r.bodiless():
		return -1
	case r.Length > 0:
		return r.Length
	default:
		return len(r.Body)
	}
}

// Seen is called when more of an answer has come. It gets the status and the number
// of bytes of the body so far, and returns whether to wait for the rest.
type Seen func(status, received int) bool

// Client is one connection.
type Client interface {
	Conn
	Send(t testing.TB, r *Request)
	// More sends more of the body of the last request.
	More(t testing.TB, body string, last bool)
	// Receive returns the next answer. On HTTP/2 it returns the answer to the last
	// request.
	Receive(t testing.TB) Answer
}

// Conn has the methods of a connection for both protocols.
type Conn interface {
	LocalAddr() net.Addr
	// Ended waits for the end of the connection, and returns why it ended. nil
	// means that it was closed properly.
	Ended() error
	// HalfClose closes the sending side. The client can still read.
	HalfClose(t testing.TB)
	// Close closes both sides.
	Close() error
}

// Protocols has the protocols for Dial.
var Protocols = []string{"1.0", "1.1", "2"}

// Window is how much of a response the server may send on HTTP/2 without another
// WINDOW_UPDATE, unless a test sets a different value.
const Window = 1 << 20

// Dial connects, with a protocol out of Protocols, until the test ends.
func Dial(t testing.TB, addr, proto string) Client {
	t.Helper()
	if proto == "2" {
		return DialHTTP2(t, addr, Window)
	}
	return DialHTTP1(t, addr, proto)
}

// DialOnce is like Dial, but the caller must close the connection. Use it for many
// connections.
func DialOnce(t testing.TB, addr, proto string) Client {
	t.Helper()
	conn, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	if proto == "2" {
		return NewHTTP2(conn, Window)
	}
	return NewHTTP1(conn, proto)
}

func dial(addr string) (net.Conn, error) {
	return net.DialTimeout("tcp", addr, Patience) //nolint:noctx // Patience bounds it
}

// dialFor connects until the test ends.
func dialFor(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Do sends a request over a connection and returns the answer.
func Do(t testing.TB, c Client, r *Request) Answer {
	t.Helper()
	c.Send(t, r)
	return c.Receive(t)
}

// endOf returns how a connection ended: nil if it was closed properly,
// syscall.ECONNRESET, or os.ErrDeadlineExceeded if it has not ended.
func endOf(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return syscall.ECONNRESET
	default:
		return err
	}
}
