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
	// Rules are tried in this order, the built-in ones that New lists after
	// them. The first that matches anywhere in the tree of the error fires, as
	// in a hand-written switch of errors.Is and errors.As. Nothing is ever
	// decided by the text of an error. Default: the built-in ones alone.
	//
	// An error is walked once, each of its branches included, and held against
	// the table by its type and identity, so 500 rules cost what 5 do. Two
	// things cost more: rules for interface types are tried one by one, and an
	// error with an Is or As method of its own has to be asked about every rule
	// of that kind.
	Rules []Rule

	// Render writes the answer. It finds the headers of the failed success
	// dropped (ProblemJSON says which), and those of the Problem, Retry-After
	// among them, set. Where it writes nothing or panics, a short plain-text
	// answer is sent. Default nil: ProblemJSON.
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
//
// After the rules of cfg come the built-in ones, in this order:
//
//   - a *[Problem] is itself; one from [FromResponse] is 502, for what another
//     server thinks of our request is not what our client did
//   - context.DeadlineExceeded is 504, and 408 where the error says so by
//     StatusCode: timeout's does while it waited for the client's own body
//   - os.ErrDeadlineExceeded and errors whose Timeout method says true are 504
//   - context.Canceled is nothing at all where the client left (499 in the log),
//     504 where the deadline of the request has passed, and else 500: then we
//     ourselves cancelled what we needed
//   - *http.MaxBytesError is 413, also where a decoder lost it and the handler
//     returns 400, 422 or an error that nobody knows: package limits remembers
//     it. (But a decoder that stops before the end has seen no error to map.)
//   - *json.SyntaxError and *json.UnmarshalTypeError are 400. The decoder's
//     other errors have no type of their own: io.ErrUnexpectedEOF (a body that
//     ends too early) may just as well come from a database, so where a handler
//     decodes, an Is rule for it in [Mapper.With] of that route is in order
//   - an error with a method StatusCode() int is that status, and RetryAfter()
//     time.Duration, if it has that, is its Retry-After; its text is not shown
//   - everything else is 500
//
// Beware of client libraries whose errors have a StatusCode method that gives
// the status of an upstream (several SDKs do): without a rule before them the
// upstream's 401 is handed on as ours. Errors with a GRPCStatus method are not
// looked at for the same reason, and because the core knows no gRPC; where they
// are our own, a rule As[interface{ error; GRPCStatus() *status.Status }] says
// which code is which status.
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
//
// An error that cannot be trusted is a 500, and Write notes why: a status
// outside of 400 to 599 that comes from a rule's function, a *Problem or a
// StatusCode method; a rule's function that panics; an error with methods that
// panic; and a tree of more than ten thousand errors, which is taken to have no
// end. A typed nil (a nil *MyError in an error) matches nothing and has no say;
// alone it is a 500.
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
