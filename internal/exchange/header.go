package exchange

import (
	"maps"
	"net/http"
)

// Header is the server's own map, or while a deadline is armed a copy of it:
// the deadline answers from another goroutine and must not share a map with the
// handler.
func (c core) Header() http.Header {
	x := c.x
	if !x.apart.Load() {
		return x.inner.w.Header()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if p := x.req.Pattern; p != "" {
		x.route = p
	}
	if x.own == nil {
		if x.expiry == nil {
			x.own = x.inner.w.Header().Clone()
		}
		if x.own == nil {
			x.own = make(http.Header)
		}
	}
	return x.own
}

// publish copies the handler's headers to the wire.
func (x *Exchange) publish() {
	if !x.apart.Load() {
		return
	}
	x.mu.Lock()
	own := x.own
	x.mu.Unlock()
	if own == nil {
		return
	}
	wire := x.inner.w.Header()
	maps.DeleteFunc(wire, func(k string, _ []string) bool { _, ok := own[k]; return !ok })
	maps.Copy(wire, own)
}
