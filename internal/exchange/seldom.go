package exchange

import (
	"net/http"
	"sync/atomic"
)

// seldom is what most requests do not need, so that it need not be part of
// every exchange.
type seldom struct {
	// Set before the handler runs.
	detached   *detached // the handler that runs on a goroutine of its own
	hijackHook func()    // told when the connection is taken over
	commitHook func(http.Header)
	accept     http.Header // what an answer may need of the request's headers

	observers []Observer // all of them, where there is more than one; guarded by life.mu

	departure atomic.Pointer[expiry] // the client has left, and the handler has a moment to come back
	writeBy   atomic.Int64           // the write deadline that the handler has set, from the start; 0: none was set
	closing   *closing               // guarded by control

	// Guarded by wmu.
	traffic  *traffic // of the connection after the hijack, where it is counted
	writeErr error    // the first failure of the wire
}

// usual is the seldom of most requests.
var usual seldom

// rare is x.seldom to be read.
func (x *Exchange) rare() *seldom {
	if s := x.seldom.Load(); s != nil {
		return s
	}
	return &usual
}

// rarely is x.seldom to be written to.
func (x *Exchange) rarely() *seldom {
	if x.seldom.Load() == nil {
		x.seldom.CompareAndSwap(nil, &seldom{})
	}
	return x.seldom.Load()
}
