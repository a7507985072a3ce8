package testhttp

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// InMemory runs f in a bubble of testing/synctest, with a server for h whose
// connections are in memory. Abandoned handlers have two days to return.
func (p Protocol) InMemory(t *testing.T, h http.Handler, f func(t *testing.T, s *Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := NewMemory()
		tr := &http.Transport{Protocols: p.Unencrypted(), DialContext: l.Dial}
		s := &Server{
			Server: &httptest.Server{URL: "http://memory", Listener: l}, Log: new(Lines),
			protocol: p, client: &http.Client{Transport: tr}, transport: tr,
		}
		srv := &http.Server{Handler: h, ErrorLog: s.Log.Logger(), Protocols: p.Unencrypted()} //nolint:gosec // its clients are tests
		go func() { _ = srv.Serve(l) }()
		f(t, s)
		<-time.After(48 * time.Hour)
		tr.CloseIdleConnections()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// Memory is a listener whose connections are net.Pipes.
type Memory struct {
	conns  chan net.Conn
	closed chan struct{}
}

// NewMemory returns a new Memory.
func NewMemory() *Memory { return &Memory{make(chan net.Conn), make(chan struct{})} }

// Accept returns the other end of what Dial returns.
func (m *Memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (m *Memory) Close() error {
	close(m.closed)
	return nil
}

// Addr returns an address that is not the address of a socket.
func (m *Memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// Dial has the signature of http.Transport's DialContext.
func (m *Memory) Dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	m.conns <- server
	return client, nil
}
