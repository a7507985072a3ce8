package exchange

import "net/http"

// Wire is how far a response has come.
type Wire struct {
	Status int  // the final status that was begun, 0 where none was
	Taken  bool // the connection was hijacked or has switched protocols
	Closed bool // nothing more is accepted: the deadline has answered, or the response was cut
}

// Wire tells how far the response has come.
func (x *Exchange) Wire() Wire {
	x.wmu.Lock()
	defer x.wmu.Unlock()
	s := Wire{Taken: x.hijacked, Closed: x.gate.Load()&gateClosed != 0}
	if x.committed.Load() {
		s.Status = int(x.status)
		s.Taken = s.Taken || s.Status == http.StatusSwitchingProtocols
	}
	return s
}

// Drop is Cut where the response need not have begun: what a middleware
// further in holds back in a buffer must not go out as if it were whole, and a
// client that left gets nothing, not even the empty 200 of the server.
func (x *Exchange) Drop() {
	if x.begin() != nil {
		return
	}
	defer x.done()
	if x.hijacked {
		return
	}
	x.cutOff()
}

// Abandoned reports whether the deadline was enforced and the handler is still
// running.
func (x *Exchange) Abandoned() bool {
	e := x.expiry.Load()
	return e != nil && !e.departed && !e.isBack()
}

// Reportf writes to the server's ErrorLog what would be lost otherwise: nobody
// observes this request.
func (x *Exchange) Reportf(format string, args ...any) {
	if !x.observed.Load() {
		x.Logf(format, args...)
	}
}
