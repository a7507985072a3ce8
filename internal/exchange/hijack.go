package exchange

import (
	"bufio"
	"net"
	"net/http"
)

// Hijack hijacks the connection and ends the deadlines. The application must then
// set deadlines itself. Hijack fails if a deadline has passed.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x := (*Exchange)(w)
	if _, overdue := x.overdue(); overdue {
		x.expireNow()
	}
	if !x.lift() {
		return nil, nil, x.state.load().writeErr()
	}
	if err := x.begin(); err != nil {
		x.unlift()
		return nil, nil, err
	}
	defer x.done()
	conn, rw, err := http.NewResponseController(x.inner).Hijack()
	if err != nil {
		x.unlift()
		return nil, nil, err
	}
	x.state.moveTo(upgraded)
	x.hijacked.Store(true)
	if hook := x.extras().onHijack; hook != nil {
		hook()
	}
	if x.extras().counted && x.switchesProtocol() {
		conn, rw = x.count(conn, rw)
	}
	return conn, rw, nil
}

// hijackable wraps the writer below if it is not a Hijacker itself but unwraps to
// one. Then a hijack through http.ResponseController passes through the exchange.
type hijackable struct {
	http.ResponseWriter
	x *Exchange
}

func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return (*responseWriter)(h.x).Hijack()
}

func (h hijackable) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// switchesProtocol reports whether the client asked for another protocol on
// this connection.
func (x *Exchange) switchesProtocol() bool {
	return x.original.Method == http.MethodConnect || len(x.original.Header["Upgrade"]) > 0
}

// WhenHijacked makes the exchange call f when the connection is hijacked. It must
// be called before the handler runs.
func (x *Exchange) WhenHijacked(f func()) {
	s := x.ensureExtras()
	if before := s.onHijack; before != nil {
		inner := f
		f = func() { before(); inner() }
	}
	s.onHijack = f
}

// wasHijacked reports whether the connection was hijacked.
func (x *Exchange) wasHijacked() bool { return x.hijacked.Load() }

// Push is HTTP/2's server push.
func (w *responseWriter) Push(target string, opts *http.PushOptions) error {
	x := (*Exchange)(w)
	if err := x.begin(); err != nil {
		return err
	}
	defer x.done()
	return x.inner.(http.Pusher).Push(target, opts)
}

// CloseNotify implements http.CloseNotifier. The interface is deprecated, but the
// server's writer has it.
func (w *responseWriter) CloseNotify() <-chan bool {
	if c := (*Exchange)(w).watchConnection(); c != nil {
		return c.handler
	}
	over := make(chan bool, 1) // the request has ended; the server's method would panic
	over <- true
	return over
}
