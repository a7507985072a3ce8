package bulwarktest

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A Client sends requests as misbehaving clients do. Each call uses a new
// connection, which is closed when the call returns. The zero value uses HTTP/1.1.
// A Client is safe for concurrent use.
//
// Make the requests with [http.NewRequest]. Their bodies are read into memory
// before anything is sent. A body with ContentLength -1 is sent in chunks. If the
// request cannot be sent at all, the call ends the test with t.Fatal. What the
// server does never ends the test.
type Client struct {
	// HTTP2 selects HTTP/2: with prior knowledge for http URLs, and over TLS for
	// https URLs. Default false: HTTP/1.1.
	HTTP2 bool

	// TLS configures connections to https URLs. For an httptest.Server it is
	// server.Client().Transport.(*http.Transport).TLSClientConfig. Default nil: the
	// default of crypto/tls.
	TLS *tls.Config

	// Dial makes the connections, for servers that do not listen on a socket.
	// Default nil: net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Patience is how long a call waits for a complete response. If there is none
	// by then, Result.Err is a timeout. Default 0: 10 s.
	Patience time.Duration
}

// A Result is the response that a client got.
type Result struct {
	Status int         // 0 if there was no response
	Header http.Header // nil if there was no response
	Body   string      // as much as was received

	// Err is why the response failed: the connection ended or was reset before the
	// response was complete, or there was no complete response within Patience. Err
	// is nil if the response looks complete to a client.
	Err error

	Took time.Duration // from dialing to the end of the response
}

// Stall sends only the first n bytes of the body, and waits for the response.
func (c Client) Stall(t testing.TB, r *http.Request, n int) Result {
	t.Helper()
	if n < 0 {
		t.Fatalf("bulwarktest: Stall after %d bytes", n)
	}
	if r.ContentLength >= 0 && int64(n) >= r.ContentLength {
		t.Fatalf("bulwarktest: Stall after %d bytes needs a longer body than %d", n, r.ContentLength)
	}
	return c.do(t, r, behavior{stall: true, first: n})
}

// Trickle sends one byte of the body, waits for the duration every, sends the next
// byte, and so on until there is a response.
func (c Client) Trickle(t testing.TB, r *http.Request, every time.Duration) Result {
	t.Helper()
	return c.do(t, r, behavior{trickle: true, pause: every})
}

// Vanish sends the whole request and disconnects without reading a response. It
// disconnects when leave is closed, or at once if leave is nil. On HTTP/2 it
// cancels the stream. Over TLS and on HTTP/2, the server may not have seen the
// request if the client disconnects at once. To be sure that it has seen the
// request, close leave in the handler.
func (c Client) Vanish(t testing.TB, r *http.Request, leave <-chan struct{}) {
	t.Helper()
	if leave == nil {
		now := make(chan struct{})
		close(now)
		leave = now
	}
	c.do(t, r, behavior{leave: leave})
}

// ReadSlowly sends the request, and reads the response n bytes at a time. Between
// two reads it waits for the duration every. The operating system and HTTP/2 buffer
// 64 KiB or more of the response, so the server has to wait only if the response is
// larger.
func (c Client) ReadSlowly(t testing.TB, r *http.Request, n int, every time.Duration) Result {
	t.Helper()
	if n <= 0 {
		t.Fatalf("bulwarktest: ReadSlowly of %d bytes at a time", n)
	}
	return c.do(t, r, behavior{slow: n, pause: every})
}

// HalfClose sends the request, closes the sending side of the connection, and reads
// the response. On HTTP/2 this is an ordinary request, because every request closes
// the sending side of its stream.
func (c Client) HalfClose(t testing.TB, r *http.Request) Result {
	t.Helper()
	return c.do(t, r, behavior{halfClose: true})
}

// HTTP10 sends the request as HTTP/1.0.
func (c Client) HTTP10(t testing.TB, r *http.Request) Result {
	t.Helper()
	if c.HTTP2 {
		t.Fatal("bulwarktest: HTTP10 needs a Client without HTTP2")
	}
	return c.do(t, r, behavior{http10: true})
}

// Pipeline sends the requests on one connection without waiting for responses, and
// then reads the responses in order. If the connection ends after a response, the
// later results have an Err and no Status. All requests are sent to the server of
// the first request.
func (c Client) Pipeline(t testing.TB, requests ...*http.Request) []Result {
	t.Helper()
	if c.HTTP2 {
		t.Fatal("bulwarktest: Pipeline needs a Client without HTTP2")
	}
	if len(requests) == 0 {
		t.Fatal("bulwarktest: Pipeline needs a request")
	}
	var all bytes.Buffer
	for _, r := range requests {
		m := c.message(t, r, false)
		all.WriteString(m.head)
		all.WriteString(m.encoded(m.body) + m.end())
	}
	began := time.Now()
	conn := c.connect(t, requests[0])
	defer func() { _ = conn.Close() }()
	sent := make(chan struct{})
	go func() { // the server may respond before it has read everything
		defer close(sent)
		_, _ = conn.Write(all.Bytes())
	}()
	in := newReader(conn, 0, 0)
	results := make([]Result, len(requests))
	for i, r := range requests {
		results[i] = receive(in, r.Method)
		results[i].Took = time.Since(began)
	}
	_ = conn.Close()
	<-sent
	return results
}

// behavior is how a client sends a request and reads the response.
type behavior struct {
	stall     bool // send only the first bytes of the body, and wait
	first     int
	trickle   bool            // if not 0, send one byte at a time, with this pause
	leave     <-chan struct{} // disconnect when it is closed; nil: read the response
	slow      int             // bytes of the response read at a time; 0: no limit
	pause     time.Duration
	halfClose bool
	http10    bool
}

func (c Client) do(t testing.TB, r *http.Request, b behavior) (res Result) {
	t.Helper()
	began := time.Now()
	defer func() { res.Took = time.Since(began) }()
	if c.HTTP2 {
		return c.http2(t, r, b)
	}
	return c.http1(t, r, b)
}

func (c Client) patience() time.Duration {
	if c.Patience > 0 {
		return c.Patience
	}
	return 10 * time.Second
}

func (c Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx, network, address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// awaitLeave waits for leave. It reports whether leave was closed before done and
// within Patience.
func (c Client) awaitLeave(leave, done <-chan struct{}) bool {
	timer := time.NewTimer(c.patience())
	defer timer.Stop()
	select {
	case <-leave:
		return true
	case <-done:
	case <-timer.C:
	}
	return false
}

func readBody(t testing.TB, r *http.Request) []byte {
	t.Helper()
	if r.Body == nil {
		return nil
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("bulwarktest: reading the request body: %v", err)
	}
	return b
}
