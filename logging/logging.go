package logging

import (
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// New returns the middleware. It belongs outermost: only what reaches it is
// seen by it. A second one further in does nothing, so that a request has one
// line; the outer one's Config counts. New panics if cfg is wrong, with every
// bad field named.
//
// A panic of the handler is logged and goes on with its value and its stack. A
// recovery of somebody else's inside leaves nothing to see but its 500.
//
// The line is written at the moment the request ended for the client. That can
// be before the handler has returned: at the deadline of package timeout, and
// where the client has left for certain. Then the line has "abandoned":true, and
// the late end of the handler is noted in a record of its own, "http handler
// ended late", with the same request_id and, where it panicked, with that. A
// connection that switched protocols is accounted to its end, and so is a stream.
//
// That a client has left is certain on HTTP/2 once its stream has closed, which is
// seen where somebody has asked for the context's Done or Err; and on both
// protocols when a write fails. A handler is given 100 ms to come back before it
// counts as abandoned. On HTTP/1 the end of what the client sends is no such
// certainty: it may have closed one half of the connection and still read. There,
// and where nobody asks, the line waits for the first of the next write, the
// handler's return and the deadline; and it says client_gone also where the client
// had all of a response that was not flushed and closed before the handler was
// back, because nothing tells that from a client that had nothing.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.validate(); err != nil {
		panic("logging: " + err.Error())
	}
	s := cfg.withDefaults()
	return func(next http.Handler) http.Handler { return &handler{s, next} }
}

type handler struct {
	*settings
	next http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if find(r.Context()) != nil {
		h.next.ServeHTTP(w, r)
		return
	}
	x, w, r, owner := exchange.Enter(w, r)
	if owner {
		defer x.Leave()
	}
	l := &line{settings: h.settings, x: x}
	l.capture(r)
	x.Observe(l)
	x.Stamp(w, h.RequestIDHeader, l.id[:])
	h.next.ServeHTTP(w, r)
	if owner {
		x.Returned()
	}
}
