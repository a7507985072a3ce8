package measure

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// watchdog is how long a batch may take.
const watchdog = time.Minute

// inMemory is an http.Server that serves connections in this process, without the
// network.
type inMemory struct {
	srv    http.Server
	conns  chan net.Conn
	closed chan struct{}
	served chan struct{} // closed when Serve has returned
}

func serveInMemory(h http.Handler) *inMemory {
	s := newInMemory(h)
	go s.serve()
	return s
}

// newInMemory returns a server that does not serve yet.
func newInMemory(h http.Handler) *inMemory {
	s := &inMemory{conns: make(chan net.Conn), closed: make(chan struct{}), served: make(chan struct{})}
	s.srv.Handler = h
	s.srv.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

func (s *inMemory) serve() {
	defer close(s.served)
	_ = s.srv.Serve(listener{s})
}

// end closes the server and its connections.
func (s *inMemory) end() {
	_ = s.srv.Close()
	<-s.served
}

// batch serves n requests on one connection, in sequence, and returns how long that
// took. It first serves n requests without timing them, because other contenders
// have just run and filled the caches.
func (s *inMemory) batch(raw []byte, status, n int) (time.Duration, error) {
	c := newConveyor(raw, status, n, 2*n)
	bark := time.NewTimer(watchdog)
	defer bark.Stop()
	s.conns <- c
	select {
	case <-c.closed:
		return c.end.Sub(c.start), c.err()
	case <-bark.C:
		return 0, errors.Join(errors.New("stuck"), c.err())
	}
}

// listener is the listener of an inMemory server.
type listener struct{ s *inMemory }

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.s.conns:
		return c, nil
	case <-l.s.closed:
		return nil, net.ErrClosed
	}
}

// Close is called only once by the server.
func (l listener) Close() error {
	close(l.s.closed)
	return nil
}

func (l listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }
