package quota

import (
	"net/http"
	"time"
)

// New returns middleware that limits the requests of each client. It panics if cfg
// is wrong. The message names every bad field. All handlers that the middleware
// wraps share the buckets.
//
// # Headers
//
// A request that costs more than its client's bucket holds gets status 429.
// Retry-After is the number of seconds, rounded up, after which the same request
// will be allowed if the client sends no other request. There is no Retry-After if
// the request can never be allowed. The response to every request that was counted
// has the headers of draft-ietf-httpapi-ratelimit-headers, except for a response that
// package timeout sends at a deadline outside the policy:
//
//	RateLimit-Policy: "default";q=100;w=60
//	RateLimit: "default";r=99;t=1
//
// q is Requests, and w is Per in seconds. r is what is left in the bucket, and t is
// the number of seconds until it is full, but no more than Retry-After.
//
// # Several policies
//
// A chain may have several policies: for a second and for a day, or for the whole
// service and for a route. If one of them refuses a request, the request does not
// count in any: before the response is sent, the cost goes back into the buckets of
// the outer policies. Until then other requests of the same client may be refused
// that would otherwise be allowed. A client never gets more than its rate. Policies
// that share a Store need different Names.
//
// The policy that refuses a request does not ask the policies inside it, so its
// Retry-After is true only for itself and for the policies outside. So put the policy
// with the longest Per outermost.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.validate(); err != nil {
		panic("quota: " + err.Error())
	}
	p := newPolicy(cfg.withDefaults())
	return func(next http.Handler) http.Handler { return &handler{p, next} }
}

// policy is a Config with its defaults and the state that all requests share.
type policy struct {
	Config
	store  Store
	shared bool   // the store may have keys of other policies
	prefix string // the prefix of the keys in a shared store
	item   string // the policy's item of RateLimit-Policy
	quoted string // Name as a String of RFC 9651
}

func newPolicy(cfg Config) *policy {
	p := &policy{Config: cfg, store: cfg.Store, shared: true, prefix: keyPrefix(cfg.Name), item: policyItem(cfg.Name, cfg.Rate), quoted: sfString(cfg.Name)}
	if p.store == nil {
		p.store, p.shared = newMemory(cfg.MaxKeys), false
	}
	return p
}

type handler struct {
	*policy
	next http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := h.Key(r)
	if key == "" {
		h.next.ServeHTTP(w, r)
		return
	}
	cost := 1
	if h.Cost != nil {
		cost = max(0, h.Cost(r))
	}
	h.decide(w, r, key, cost)
}

// decide asks the store for a decision, and then serves or refuses the request.
func (h *handler) decide(w http.ResponseWriter, r *http.Request, key string, cost int) {
	t := &taken{Context: r.Context(), policy: h.policy, outer: takenBy(r.Context()), r: r, key: key}
	if h.shared {
		t.key = h.sharedKey(key)
	}
	since := time.Now()
	switch res, err := h.store.Take(r.Context(), t.key, cost, h.Rate); {
	case err != nil:
		remark(r, err)
	case res.Allowed:
		t.took(cost, since)
		if !h.Shadow {
			h.advise(w.Header(), res)
		}
	case h.Shadow:
		remark(r, h.refusal(key, cost, res))
		h.next.ServeHTTP(w, r) // without t: Charge must not add to the debt what would not have happened
		return
	default:
		t.outer.undo()
		h.refuse(w, r, h.refusal(key, cost, res), res)
		return
	}
	t.serve(w, r, h.next)
}

// serve runs the handler with t as its context.
func (t *taken) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	inner := r.WithContext(t)
	defer handBack(r, inner)
	next.ServeHTTP(w, inner)
}
