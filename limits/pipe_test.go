package limits_test

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// pipes is a listener for tests in a testing/synctest bubble, in which real connections
// would never be idle.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.done); return nil }
func (p pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// piped serves h and returns a way to connect. To be called in a bubble.
func piped(t *testing.T, h http.Handler) (connect func() *testhttp.Conn) {
	t.Helper()
	l := pipes{make(chan net.Conn), make(chan struct{})}
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(l)
	var clients []net.Conn
	t.Cleanup(func() {
		for _, c := range clients {
			c.Close()
		}
		require.NoError(t, s.Close())
	})
	return func() *testhttp.Conn {
		client, server := net.Pipe()
		l.conns <- server
		clients = append(clients, client)
		return &testhttp.Conn{Conn: client, In: bufio.NewReader(client)}
	}
}
