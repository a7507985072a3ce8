package conformance_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

// patience is how long to wait for what is certain to come. It matters only when a
// test fails.
const patience = 30 * time.Second

type (
	request = raw.Request
	ending  = raw.End
)

const (
	whole = raw.Whole
	cut   = raw.Cut
	reset = raw.Reset
)

// answer is the part of a response that is compared: not what depends on the protocol
// (the framing) or on the time (Date).
type answer struct {
	Early   []int
	Status  int
	ID      string
	Header  map[string]string
	Body    string
	Trailer map[string]string
	End     ending
}

func answerOf(a raw.Answer) answer {
	a = a.Neutral()
	return answer{a.Early, a.Status, a.Field("X-Request-Id"), flat(a.Header), a.Body, flat(a.Trailer), a.End}
}

// flat is a header with one value a field, nil if nothing is left to compare.
func flat(h http.Header) (fields map[string]string) {
	for k := range h {
		switch k {
		case "Date", "Trailer", "Connection", "Transfer-Encoding", "X-Request-Id":
		default:
			if fields == nil {
				fields = map[string]string{}
			}
			fields[k] = h.Get(k)
		}
	}
	return fields
}

// client is one connection.
type client interface {
	send(t *testing.T, r request)
	// receive returns the next answer, and calls seen when some of its body has come.
	receive(t *testing.T, r request, seen func()) answer
	// leave disconnects without waiting for an answer.
	leave(t *testing.T)
	// reusable reports whether the connection takes another request.
	reusable() bool
	close()
}

// protocol is a version of HTTP.
type protocol struct {
	name string // as it is logged
	dial func(t *testing.T, addr string) client
}

var protocols = []protocol{{"1.1", dialHTTP1}, {"2", dialHTTP2}}

// some calls seen when there is some of a body, and waits for all of it.
func some(seen func()) raw.Seen {
	return func(_, received int) bool {
		if received > 0 {
			seen()
		}
		return true
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	require.NoError(t, conn.SetWriteDeadline(time.Now().Add(patience)))
	return conn
}

type http1 struct{ *raw.HTTP1 }

func dialHTTP1(t *testing.T, addr string) client {
	t.Helper()
	c := raw.NewHTTP1(dial(t, addr), "1.1")
	c.Patience = patience
	return &http1{c}
}

func (c *http1) send(t *testing.T, r request) {
	t.Helper()
	c.Send(t, &r)
}

func (c *http1) receive(_ *testing.T, _ request, seen func()) answer {
	return answerOf(c.ReceiveSome(some(seen)))
}

func (c *http1) leave(*testing.T) { c.close() }
func (c *http1) reusable() bool   { return !c.Closed }
func (c *http1) close()           { c.Closed = true; _ = c.Close() }

type http2 struct {
	*raw.HTTP2

	stream *raw.Stream
}

func dialHTTP2(t *testing.T, addr string) client {
	t.Helper()
	c := raw.NewHTTP2(dial(t, addr), 65535)
	c.Patience = patience
	return &http2{HTTP2: c}
}

func (c *http2) send(t *testing.T, r request) {
	t.Helper()
	var err error
	c.stream, err = c.Open(&r, false)
	require.NoError(t, err)
}

func (c *http2) receive(t *testing.T, _ request, seen func()) answer {
	t.Helper()
	a := answerOf(c.stream.Receive(some(seen)))
	if err := c.Err(); err != nil {
		require.ErrorIs(t, err, io.EOF)
	}
	return a
}

// leave resets the stream, and not the connection.
func (c *http2) leave(t *testing.T) {
	t.Helper()
	require.NoError(t, c.stream.Reset())
}

func (c *http2) reusable() bool { return !c.GoneAway() && c.Err() == nil }
func (c *http2) close()         { _ = c.Close() }
