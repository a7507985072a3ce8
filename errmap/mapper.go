package errmap

import (
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Config configures [New]. Its zero value is ready for use.
type Config struct {
	// Rules are tried in this order, the built-in ones after them. Default:
	// the built-in ones alone.
	Rules []Rule

	// Render writes the answer. It finds the headers of the failed success
	// dropped, and those of the Problem, Retry-After among them, set. Where it
	// writes nothing or panics, a short plain-text answer is sent. Default nil:
	// ProblemJSON.
	Render func(http.ResponseWriter, *http.Request, Problem)
}

// Mapper turns errors into responses. It is made by [New], never changes, and
// is safe for concurrent use.
type Mapper struct {
	table  *table
	rules  []Rule // the user's
	render func(http.ResponseWriter, *http.Request, Problem)
	custom bool // render is the user's
}

// New returns a Mapper. It panics if cfg is wrong: with every rule named that
// is incomplete, stands twice, has a status outside of 400 to 599, or can never
// fire because an earlier one takes all it could match.
func New(cfg Config) *Mapper {
	m := &Mapper{render: cfg.Render, custom: !ours(cfg.Render)}
	if m.render == nil {
		m.render = ProblemJSON
	}
	return m.withRules(cfg.Rules, nil)
}

// ours reports whether render is one that can be relied on.
func ours(render func(http.ResponseWriter, *http.Request, Problem)) bool {
	p := reflect.ValueOf(render).Pointer()
	return render == nil || p == reflect.ValueOf(ProblemJSON).Pointer() || p == reflect.ValueOf(ErrorJSON).Pointer()
}

// With returns a Mapper in which the given rules come before those of m, for a
// route that knows better. Unlike two rules of one list they may say again what
// a rule of m says: that is what they are for. It panics as New does.
func (m *Mapper) With(rules ...Rule) *Mapper { return m.withRules(rules, m.rules) }

func (m *Mapper) withRules(first, then []Rule) *Mapper {
	if errs := check(first); len(errs) > 0 {
		panic("errmap: " + joined(errs))
	}
	n := *m
	n.rules = slices.Concat(first, then)
	n.table = newTable(n.rules)
	return &n
}

// joined is the errors on one line.
func joined(errs []error) string {
	s := errs[0].Error()
	for _, err := range errs[1:] {
		s += "; " + err.Error()
	}
	return s
}

// Problem is what err is for the client of r. It neither writes nor notes
// anything.
func (m *Mapper) Problem(r *http.Request, err error) Problem {
	ctx := r.Context()
	var v verdict
	m.judge(ctx, &v, exchange.From(ctx), err)
	return v.problem
}

// Note puts err into the log line of the request, for an error that the
// response does not show. Without an exchange, that is outside of Bulwark's
// middleware, it does nothing.
func (m *Mapper) Note(r *http.Request, err error) {
	x := exchange.From(r.Context())
	if x == nil || err == nil {
		return
	}
	w := walk{t: m.table, best: len(m.table.rules), left: maxNodes}
	if w.find(err); w.trouble != nil {
		err = w.trouble
	}
	x.Note(err)
}

var errNil = errors.New("errmap: Write was called with a nil error")
