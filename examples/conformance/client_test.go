package conformance_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/examples/internal/wire"
)

// patience is how long to wait for what is certain to come. It only matters
// where a test fails.
const patience = 30 * time.Second

type (
	request = wire.Request
	answer  = wire.Answer
	ending  = wire.Ending
)

const (
	whole = wire.Whole
	cut   = wire.Cut
	reset = wire.Reset
)

// client is one connection.
type client interface {
	send(t *testing.T, r request)
	// receive returns the next answer, and calls seen whenever some of its body
	// has come.
	receive(t *testing.T, r request, seen func()) answer
	// leave goes without waiting for an answer.
	leave(t *testing.T)
	// reusable tells that the connection takes another request.
	reusable() bool
	close()
}

// protocol is a way to speak HTTP.
type protocol struct {
	name string // as the line has it
	dial func(t *testing.T, addr string) client
}

var protocols = []protocol{{"1.1", dialHTTP1}, {"2", dialHTTP2}}

// some calls seen when there is some of a body, and waits for all of it.
func some(seen func()) wire.Seen {
	return func(_, received int) bool {
		if received > 0 {
			seen()
		}
		return true
	}
}

type http1 struct{ *wire.HTTP1 }

func dialHTTP1(t *testing.T, addr string) client {
	t.Helper()
	c, err := wire.DialHTTP1(addr, patience)
	require.NoError(t, err)
	return &http1{c}
}

func (c *http1) send(t *testing.T, r request) {
	t.Helper()
	require.NoError(t, c.Send(&r))
}

func (c *http1) receive(_ *testing.T, r request, seen func()) answer {
	a, _ := c.Receive(r.Method, some(seen)) // the answer says how it ended
	return a
}

func (c *http1) leave(*testing.T) { c.close() }
func (c *http1) reusable() bool   { return !c.Closed }
func (c *http1) close()           { c.Closed = true; _ = c.Close() }

type http2 struct {
	*wire.HTTP2

	stream *wire.Stream
}

func dialHTTP2(t *testing.T, addr string) client {
	t.Helper()
	c, err := wire.DialHTTP2(addr, patience)
	require.NoError(t, err)
	return &http2{HTTP2: c}
}

func (c *http2) send(t *testing.T, r request) {
	t.Helper()
	var err error
	c.stream, err = c.Open(&r, true)
	require.NoError(t, err)
}

func (c *http2) receive(t *testing.T, _ request, seen func()) answer {
	t.Helper()
	a := c.stream.Receive(some(seen))
	if err := c.Err(); err != nil {
		require.ErrorIs(t, err, io.EOF)
	}
	return a
}

// leave resets the stream; the connection lives on.
func (c *http2) leave(t *testing.T) {
	t.Helper()
	require.NoError(t, c.stream.Reset())
}

func (c *http2) reusable() bool { return c.Reusable() }
func (c *http2) close()         { _ = c.Close() }
