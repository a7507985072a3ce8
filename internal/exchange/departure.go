package exchange

import (
	"net/http"
	"runtime/debug"
	"time"
)

// A client that leaves ends its request, whatever the handler goes on doing.
// It is known for certain where a write has failed, and on HTTP/2 where the
// stream has closed. The context alone does not tell: net/http cancels it on
// HTTP/1 also for a client that has closed its half of the connection and still
// reads, and a BaseContext that ends at a shutdown ends it for everybody.

// farewell is the courtesy for a client that has left: nobody waits for an answer
// any more, and handlers have a query to cancel and a transaction to roll back.
const farewell = 100 * time.Millisecond

// departs ends the request once the handler has had the time to come back, as
// after a deadline. There must be somebody to tell.
func (x *Exchange) departs() {
	if !x.observed.Load() {
		return
	}
	e := &expiry{
		back: make(chan struct{}), told: make(chan struct{}),
		at: x.Now(), departed: true, timedOut: x.pastWriteTimeout(), abandoned: true,
	}
	if x.rarely().departure.CompareAndSwap(nil, e) {
		time.AfterFunc(farewell, x.depart)
	}
}

// depart ends the request while the handler is still running.
func (x *Exchange) depart() {
	e := x.rare().departure.Load()
	defer close(e.told)
	x.mu.Lock()
	if x.expiry.Load() != nil || x.lifted {
		x.mu.Unlock()
		return
	}
	before := x.gate.Or(gateClosed | gateDeparted)
	if before&gateClosed != 0 { // it was cut, or the handler is back
		x.mu.Unlock()
		return
	}
	x.expiry.Store(e)
	x.pass()
	x.mu.Unlock()
	x.shut(before, sealedGone)
	if e.timedOut {
		x.wmu.Lock()
		x.timedOut = true // HTTP/2 resets the stream then
		x.wmu.Unlock()
	}
	x.end(nil)
}

// departed reports whether the request has ended while the handler ran because
// the client left, and waits until that was told of. To be called once the gate
// is closed.
func (x *Exchange) departed() bool {
	if x.gate.Load()&gateDeparted == 0 {
		return false
	}
	e := x.rare().departure.Load()
	<-e.told
	return x.expiry.Load() == e
}

// lateAfterDeparture tells of the end of the handler, with the panic it ended
// with, also one that was answered.
func (x *Exchange) lateAfterDeparture(v any) {
	var stack []byte
	if n := x.noted.Load(); n != nil {
		n.mu.Lock()
		if v == nil || identical(v, n.panicked) {
			v, stack = n.panicked, n.stack
		}
		n.mu.Unlock()
	}
	if v != nil && stack == nil {
		stack = debug.Stack() // the panic is still on its way, and its frames below us
	}
	for _, o := range x.Observers() {
		o.Late(x, v, stack)
	}
}

// closing tells of the end of an HTTP/2 stream. http.CloseNotifier is deprecated
// in favour of the context; but it alone tells of the stream and of nothing else.
type closing struct {
	handler chan bool     // what CloseNotify gives to the handler: the server's channel tells once
	stream  chan struct{} // closed with the stream
}

func (c *closing) follow(server <-chan bool) {
	c.handler <- <-server
	close(c.stream)
}

// streamClosing returns the closing of an HTTP/2 stream, as the writer that of
// gives tells of it where nobody has asked before; nil where it does not, or
// nobody may ask any more: once the handler is back, those between us and the
// server use their writers again, for the next request.
func (x *Exchange) streamClosing(of func(http.ResponseWriter) http.ResponseWriter) *closing {
	x.control.Lock()
	defer x.control.Unlock()
	s := x.rarely()
	if s.closing != nil || x.off {
		return s.closing
	}
	n, ok := of(x.inner.w).(http.CloseNotifier) //nolint:staticcheck // see closing
	if !ok {
		return nil
	}
	s.closing = &closing{make(chan bool, 1), make(chan struct{})}
	go s.closing.follow(n.CloseNotify())
	return s.closing
}

// awaitStream waits for the end of the HTTP/2 stream of a request whose context
// has ended. It comes with the handler's return at the latest. The server's own
// writer is asked: Gin's panics where one of those further in cannot be.
func (x *Exchange) awaitStream() {
	if c := x.streamClosing(innermost); c != nil {
		<-c.stream
		x.departs()
	}
}
