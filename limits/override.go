package limits

import (
	"errors"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Override returns middleware that gives a route its own body limits, lower or
// higher than those of the New around it: MaxBodyBytes, MaxDecodedBytes,
// MaxDecodeRatio, MinBodyRate and BodyGrace. Fields that are 0 leave what there
// is. BodyCeiling of the New bounds how high the sizes may go: a route that
// asks for more gets the ceiling. It speaks to the limits of the request
// wherever in the chain they were set, also outside of Gin or Echo; where there
// are none it sets them, as New would. It panics if cfg is wrong or has other
// fields.
func Override(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.validateOverride(); err != nil {
		panic("limits: Override: " + err.Error())
	}
	p := newPolicy(cfg)
	return func(next http.Handler) http.Handler { return &override{handler{p, next}, cfg} }
}

func (c Config) validateOverride() error {
	errs := c.negative()
	for _, f := range []struct {
		set  bool
		name string
	}{
		{c.BodyCeiling > 0, "BodyCeiling"}, {c.MaxURIBytes > 0, "MaxURIBytes"},
		{c.MaxHeaderBytes > 0, "MaxHeaderBytes"}, {c.MaxHeaderFields > 0, "MaxHeaderFields"},
		{c.MaxInFlight > 0, "MaxInFlight"}, {c.MaxQueue > 0, "MaxQueue"}, {c.MaxWait > 0, "MaxWait"},
		{c.RetryAfter > 0, "RetryAfter"}, {c.Shadow, "Shadow"}, {c.ErrorHandler != nil, "ErrorHandler"},
	} {
		if f.set {
			errs = append(errs, errors.New(f.name+" is New's to set"))
		}
	}
	return joined(errs)
}

type override struct {
	handler
	asked Config // without defaults
}

func (o *override) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r.Context())
	if x == nil || !x.Owns(w) {
		o.handler.ServeHTTP(w, r)
		return
	}
	g, _ := x.Request().Body.(*guard)
	if g == nil || o.codings(r) != nil { // nobody decodes yet
		o.handler.ServeHTTP(w, r)
		return
	}
	for ; g != nil; g, _ = g.before.(*guard) {
		g.override(o.asked)
		if g.declared > g.limit && !g.policy.Shadow {
			g.policy.refuse(x, w, r, &http.MaxBytesError{Limit: g.limit})
			return
		}
	}
	o.next.ServeHTTP(w, r)
}

// override moves the limits of the guard, within its policy's ceiling.
func (g *guard) override(c Config) {
	p := g.policy
	if c.MaxBodyBytes > 0 {
		g.limit = min(c.MaxBodyBytes, p.ceiling())
	}
	if g.decoding != nil {
		if c.MaxDecodedBytes > 0 {
			g.decoded = min(c.MaxDecodedBytes, max(p.MaxDecodedBytes, p.BodyCeiling))
		}
		if c.MaxDecodeRatio > 0 {
			g.ratio = c.MaxDecodeRatio
		}
	}
	if c.MinBodyRate > 0 || c.BodyGrace > 0 {
		g.repace(c.MinBodyRate, c.BodyGrace)
	}
}

// repace changes the pace that is asked for.
func (g *guard) repace(rate int64, grace time.Duration) {
	if g.pace == nil {
		g.pace = &pace{x: g.x, shadow: g.policy.Shadow, rate: rate, grace: g.policy.BodyGrace}
	}
	g.pace.mu.Lock()
	defer g.pace.mu.Unlock()
	if rate > 0 {
		g.pace.rate = rate
	}
	if grace > 0 {
		g.pace.grace = grace
	}
}
