// Package limits is net/http middleware that takes never a byte more of a
// request than agreed.
package limits

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Config configures [New]. The zero value of every field is the documented
// default; a limit that is 0 is not enforced.
type Config struct {
	// MaxBodyBytes is the largest body, in bytes on the wire. Default 0: any.
	MaxBodyBytes int64

	// BodyCeiling is how far Override may raise MaxBodyBytes. With it a declared
	// length between the two is refused at the first Read, because which limit
	// counts is known only then; above the ceiling it is refused before the
	// handler runs. Default 0: Override may only lower it.
	BodyCeiling int64

	// ErrorHandler answers a request that is refused, with an *Error or an
	// *http.MaxBytesError, instead of the default: status and a short plain-text
	// body. Connection, Accept-Encoding and Retry-After are set already where
	// they belong. (*errmap.Mapper).Write fits.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// New returns the middleware. It panics if cfg is wrong, with every bad field
// named.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.validate(); err != nil {
		panic("limits: " + err.Error())
	}
	p := &policy{Config: cfg}
	return func(next http.Handler) http.Handler { return &handler{p, next} }
}

func (c Config) validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int64
	}{{"MaxBodyBytes", c.MaxBodyBytes}, {"BodyCeiling", c.BodyCeiling}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", f.name))
		}
	}
	if c.BodyCeiling > 0 && c.BodyCeiling < c.MaxBodyBytes {
		errs = append(errs, errors.New("BodyCeiling must not be less than MaxBodyBytes"))
	}
	return joined(errs)
}

// joined is errors.Join on one line, nil for none.
func joined(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	text := errs[0].Error()
	for _, err := range errs[1:] {
		text += "; " + err.Error()
	}
	return errors.New(text)
}

// policy is what New made of a Config. It is shared by all requests.
type policy struct {
	Config
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
	if err := h.declared(r); err != nil {
		h.refuse(x, w, r, err)
		return
	}
	g := h.guard(x, r)
	if g == nil {
		h.next.ServeHTTP(w, r)
		return
	}
	defer g.end()
	h.next.ServeHTTP(w, g.request(r))
}
