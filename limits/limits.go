package limits

import (
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// New returns the middleware. It panics if cfg is wrong, with every bad field
// named. What it makes belongs to all handlers that it is put around: they
// share MaxInFlight.
//
// # How an answer gets through
//
// After a 413 or a 408 an HTTP/1 connection is closed, which Connection: close
// says. The answer reaches a client that is still sending, as far as the server
// drains what comes (256 KiB or half a second), one that has stalled, and one
// that asked first (Expect: 100-continue), which is never told to go on. On
// HTTP/2 only the stream ends.
//
// # What it does not do
//
// A form that is not multipart is bounded by net/http itself at 10 MB, whatever
// MaxBodyBytes says. What a JSON decoder leaves unread behind the end of its
// value is neither counted nor delivered. What a server reads of a request's
// head is Server.MaxHeaderBytes' to bound; the limits here are for what should
// be refused with a clear answer long before that.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.validate(); err != nil {
		panic("limits: " + err.Error())
	}
	p := newPolicy(cfg)
	return func(next http.Handler) http.Handler { return &handler{p, next} }
}

// policy is what New made of a Config. It is shared by all requests.
type policy struct {
	Config
	permits *permits // nil where any number may be in flight
}

func newPolicy(cfg Config) *policy {
	return &policy{cfg.withDefaults(), newPermits(cfg)}
}

type handler struct {
	*policy
	next http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x, w, r, owner := exchange.Enter(w, r)
	if owner {
		defer x.Leave()
	}
	h.serve(x, w, r)
	if owner {
		x.Returned()
	}
}

func (h *handler) serve(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
	if h.refused(x, w, r) {
		return
	}
	if h.permits == nil {
		h.guarded(x, w, r)
		return
	}
	p, err := h.permits.acquire(x, r, &h.Config)
	if err != nil {
		h.refuse(x, w, r, err)
	}
	if p == nil {
		return
	}
	release := p.release
	defer x.WhenHandlerEnds(release)
	x.WhenHijacked(release)
	h.guarded(x, w, r)
}

// guarded runs the handler with a guard around the body, where there is one.
func (h *handler) guarded(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
	g := h.guard(x, r)
	if g == nil {
		h.next.ServeHTTP(w, r)
		return
	}
	defer g.end()
	guarded := g.request(r)
	h.next.ServeHTTP(w, guarded)
	if guarded != r {
		r.Pattern = guarded.Pattern // whoever made r may ask it for the route, as tracing libraries do
	}
}

// refused answers a request that is over a limit already.
func (h *handler) refused(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) bool {
	for _, check := range [...]func(*policy, *http.Request) error{
		(*policy).longURI, (*policy).largeHeader, (*policy).largeBody, (*policy).unknownCoding,
	} {
		err := check(h.policy, r)
		switch {
		case err == nil:
		case h.Shadow:
			x.Remark(err)
		default:
			h.refuse(x, w, r, err)
			return true
		}
	}
	return false
}
