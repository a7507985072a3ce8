package limits

import (
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// BodyLimits are the limits that [Override] can change for a route. Each field
// means the same as in [Config], except that 0 leaves the limit unchanged.
type BodyLimits struct {
	MaxBodyBytes    int64         // bytes on the wire, up to Config.BodyCeiling
	MaxDecodedBytes int64         // bytes after decoding, up to Config.BodyCeiling; without MaxBodyBytes also the limit of an encoded body on the wire
	MaxDecodeRatio  int           // decoded bytes for each encoded byte
	MinBodyRate     int64         // bytes per second
	BodyGrace       time.Duration // how long the client may be slower than MinBodyRate
}

// Override returns middleware that gives a route its own body limits, which may be
// lower or higher than those of New. [Config.BodyCeiling] bounds the sizes: a
// larger size becomes the ceiling.
//
// Override changes the limits that New has set for the request, so it also works on
// a route of an engine, such as Gin's or Echo's, that is wrapped as a whole. If the
// request has no limits, Override sets them as New would. It panics if a field is
// negative.
func Override(limits BodyLimits) func(http.Handler) http.Handler {
	cfg := Config{
		MaxBodyBytes: limits.MaxBodyBytes, MaxDecodedBytes: limits.MaxDecodedBytes, MaxDecodeRatio: limits.MaxDecodeRatio,
		MinBodyRate: limits.MinBodyRate, BodyGrace: limits.BodyGrace,
	}
	if err := joined(cfg.negative()); err != nil {
		panic("limits: Override: " + err.Error())
	}
	p := newPolicy(cfg)
	return func(next http.Handler) http.Handler { return &override{handler{p, next}, limits} }
}

type override struct {
	handler
	limits BodyLimits // without defaults
}

func (o *override) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r.Context())
	innermost := guardOf(x, w, r)
	if innermost == nil {
		o.handler.ServeHTTP(w, r)
		return
	}
	decodes, encoded := false, o.codings(r) != nil
	for g := innermost; g != nil; g = g.outer {
		decodes = decodes || g.decoding != nil
	}
	for g := innermost; g != nil; g = g.outer {
		g.override(o.limits, encoded || decodes)
		if limit := g.limit.Load(); g.declared > limit && !g.policy.Shadow {
			g.policy.refuse(x, w, r, &http.MaxBytesError{Limit: limit})
			return
		}
	}
	if !encoded || decodes {
		o.next.ServeHTTP(w, r)
		return
	}
	h := handler{o.within(innermost.policy), o.next}
	h.ServeExchange(x, w, r)
}

// guardOf returns the innermost guard of the body of r, or nil. It finds the guard
// through the request, because middleware whose writer has no Unwrap hides the
// exchange's writer. If a handler has made a new request with the context of this
// one, the new request does not have the guard.
func guardOf(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) *guard {
	if x == nil {
		return nil
	}
	g, _ := x.Body().Guard().(*guard)
	if own, ok := r.Body.(*guard); g == nil || ok && own == g || x.Response().Owns(w) {
		return g
	}
	if is := x.Request(); r.RequestURI != "" && r.RequestURI == is.RequestURI && r.Method == is.Method {
		return g
	}
	return nil
}

// within returns the policy of a guard that only decodes. The guard is used inside
// a guard of outer, in which the other limits have already been changed.
func (o *override) within(outer *policy) *policy {
	most := o.MaxDecodedBytes
	if outer.BodyCeiling > 0 {
		most = min(most, outer.BodyCeiling)
	}
	return &policy{Config: Config{
		MaxDecodedBytes: most, MaxDecodeRatio: o.MaxDecodeRatio,
		Shadow: outer.Shadow, ErrorHandler: outer.ErrorHandler,
	}}
}

// override changes the limits of the guard, up to its policy's ceiling. If the
// route has a limit for decoded bodies only, that limit is also used for encoded
// bodies.
func (g *guard) override(c BodyLimits, encoded bool) {
	p := g.policy
	switch {
	case c.MaxBodyBytes > 0:
		g.limit.Store(min(c.MaxBodyBytes, p.ceiling()))
	case encoded && c.MaxDecodedBytes > 0:
		g.limit.Store(max(g.limit.Load(), min(c.MaxDecodedBytes, p.ceiling())))
	}
	if g.decoding != nil {
		if c.MaxDecodedBytes > 0 {
			g.decoded.Store(min(c.MaxDecodedBytes, max(p.MaxDecodedBytes, p.BodyCeiling)))
		}
		if c.MaxDecodeRatio > 0 {
			g.ratio.Store(int64(c.MaxDecodeRatio))
		}
	}
	if c.MinBodyRate > 0 || c.BodyGrace > 0 {
		g.setPace(c.MinBodyRate, c.BodyGrace)
	}
}

// setPace changes the minimum rate.
func (g *guard) setPace(rate int64, grace time.Duration) {
	g.pace.CompareAndSwap(nil, &pace{x: g.x, shadow: g.policy.Shadow, rate: rate, grace: g.policy.BodyGrace})
	pace := g.pace.Load()
	pace.mu.Lock()
	defer pace.mu.Unlock()
	if rate > 0 {
		pace.rate = rate
	}
	if grace > 0 {
		pace.grace = grace
	}
}
