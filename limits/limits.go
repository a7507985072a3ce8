package limits

import (
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// New returns middleware that enforces the limits of cfg. It panics if cfg is wrong
// or limits nothing, and names every bad field. All handlers that the middleware
// wraps share MaxInFlight.
//
// # Refused bodies
//
// A 413 or a 408 on HTTP/1 has Connection: close, and the connection is closed
// after it. Before that, the server drains up to 256 KiB of the body for up to half
// a second. So the response also reaches a client that is still sending or has
// stalled. A client that sent Expect: 100-continue gets the response without a 100.
// On HTTP/2 only the stream ends.
//
// # Other limits
//
// net/http itself limits a form that is not multipart to 10 MB, even if
// MaxBodyBytes is larger. Only bytes that are read count: a JSON decoder may stop
// at the end of its value and leave the rest of the body unread.
//
// Server.MaxHeaderBytes bounds what the server reads. The header limits here should
// be lower, so that clients get a 414 or 431 instead of a closed connection.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.validate(); err != nil {
		panic("limits: " + err.Error())
	}
	p := newPolicy(cfg)
	return func(next http.Handler) http.Handler { return &handler{p, next} }
}

// policy is a Config with its defaults and the state that all requests share.
type policy struct {
	Config
	permits *permits // nil without MaxInFlight
}

func newPolicy(cfg Config) *policy {
	return &policy{cfg.withDefaults(), newPermits(cfg)}
}

type handler struct {
	*policy
	next http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { exchange.Serve(w, r, h) }

// ExchangeRouter lets a deadline outside find the route.
func (h *handler) ExchangeRouter() exchange.Router { return exchange.RouterOf(h.next) }

// ExchangeNext lets a deadline inside find out which middleware is around it.
func (h *handler) ExchangeNext() http.Handler { return h.next }

// ServeExchange implements exchange.Handler.
func (h *handler) ServeExchange(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
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

// guarded runs the handler with a guard around the body, if it needs one.
func (h *handler) guarded(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
	g := h.guard(x, r)
	if g == nil {
		h.next.ServeHTTP(w, r)
		return
	}
	defer g.end()
	guarded := g.request(r)
	defer exchange.HandBack(guarded, r)
	h.next.ServeHTTP(w, guarded)
}

// refused reports whether the request exceeds a limit already, and answers it.
func (h *handler) refused(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) bool {
	for _, check := range [...]func(*policy, *http.Request) error{
		(*policy).longURI, (*policy).largeHeader, (*policy).largeBody, (*policy).unknownCoding,
	} {
		err := check(h.policy, r)
		switch {
		case err == nil:
		case h.Shadow:
			x.Notes.Warn(err)
		default:
			h.refuse(x, w, r, err)
			return true
		}
	}
	return false
}
