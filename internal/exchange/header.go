package exchange

import (
	"maps"
	"net/http"
)

// Whose header map the handler works on.
const (
	headersShared uint32 = iota // the server's
	headersApart                // one of its own, once it asks for it
	headersOwn                  // one of its own
)

// Header is the server's own map, or while a deadline is armed a copy of it:
// the deadline answers from another goroutine and must not share a map with the
// handler.
func (c core) Header() http.Header {
	x := c.x
	if x.headers.Load() == headersShared {
		return x.inner.w.Header()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if p := x.req.Pattern; p != "" {
		x.route = p
	}
	if x.own == nil {
		if x.expiry.Load() == nil {
			x.own = x.inner.w.Header().Clone()
		}
		if x.own == nil {
			x.own = make(http.Header)
		}
		x.headers.CompareAndSwap(headersApart, headersOwn)
	}
	return x.own
}

// publish copies the handler's headers to the wire.
func (x *Exchange) publish() {
	if x.headers.Load() != headersOwn {
		return
	}
	x.mu.Lock()
	own := x.own
	x.mu.Unlock()
	wire := x.inner.w.Header()
	maps.DeleteFunc(wire, func(k string, _ []string) bool { _, ok := own[k]; return !ok })
	maps.Copy(wire, own)
}
