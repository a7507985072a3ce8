package limits

import (
	"errors"
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Override returns middleware that gives a route its own body limits, lower or
// higher than those of the New around it. BodyCeiling of the New bounds how
// high: a request for more gets the ceiling. It speaks to the limits of the
// request wherever in the chain they were set, also outside of Gin or Echo;
// where there are none it sets them, as New would. Fields that are 0 leave
// what there is. It panics if cfg is wrong, and if it has other fields than
// MaxBodyBytes.
func Override(cfg Config) func(http.Handler) http.Handler {
	if err := errors.Join(cfg.validate(), cfg.onlyBody()); err != nil {
		panic("limits: Override: " + err.Error())
	}
	p := &policy{Config: cfg}
	return func(next http.Handler) http.Handler { return &override{handler{p, next}} }
}

func (c Config) onlyBody() error {
	if c.BodyCeiling != 0 || c.ErrorHandler != nil {
		return errors.New("only MaxBodyBytes may be set")
	}
	return nil
}

type override struct{ handler }

func (o *override) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r.Context())
	if x == nil || !x.Owns(w) {
		o.handler.ServeHTTP(w, r)
		return
	}
	g, _ := x.Request().Body.(*guard)
	if g == nil {
		o.handler.ServeHTTP(w, r)
		return
	}
	for ; g != nil; g = g.outer {
		g.override(o.Config)
		if g.declared > g.limit {
			g.policy.refuse(x, w, r, &http.MaxBytesError{Limit: g.limit})
			return
		}
	}
	o.next.ServeHTTP(w, r)
}

// override moves the limits of the guard, within its policy's ceiling.
func (g *guard) override(c Config) {
	if c.MaxBodyBytes > 0 {
		g.limit = min(c.MaxBodyBytes, g.policy.ceiling())
	}
}
