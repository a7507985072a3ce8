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
	// Rules are tried in this order. The built-in rules that New lists are tried
	// after them. The first rule that matches any error in the tree of the error
	// decides, as in a switch of errors.Is and errors.As. Default: only the
	// built-in rules.
	//
	// The tree is walked once, and each error is looked up by its type and value,
	// so 500 rules cost no more than 5. Two things cost more. Rules for interface
	// types are tried one by one. If an error has an Is or As method, the method is
	// called for every rule that it could match.
	Rules []Rule

	// Render writes the response. When it is called, the headers of the response
	// that the handler had begun are removed (see ProblemJSON), and the headers of
	// the Problem, including Retry-After, are set. Headers that Render sets are
	// sent, also if it passes another Problem to ProblemJSON. If Render writes
	// nothing, panics or calls Write, a short plain-text response is sent. Default
	// nil: ProblemJSON.
	Render func(http.ResponseWriter, *http.Request, Problem)
}

// A Mapper turns errors into responses. [New] returns one. It is immutable and safe
// for concurrent use.
type Mapper struct {
	table  *table
	rules  []Rule // the user's
	form   form
	render func(http.ResponseWriter, *http.Request, Problem) // of formCustom
}

// form is the format of responses. The built-in ones need no tracker, and their
// static bodies are encoded in advance.
type form uint8

const (
	formCustom form = iota
	formProblem
	formError
)

// isFunc reports whether f is the package's function g.
func isFunc(f, g func(http.ResponseWriter, *http.Request, Problem)) bool {
	return reflect.ValueOf(f).Pointer() == reflect.ValueOf(g).Pointer()
}

// New returns a Mapper. It panics if cfg is wrong. The message names every rule
// that is incomplete, is a duplicate, has a status outside 400 to 599, or can never
// match because of an earlier rule.
//
// The built-in rules are tried after those of cfg, in this order:
//
//   - a *[Problem] is sent as it is; a Problem from [FromResponse] is 502, because
//     your client did nothing wrong
//   - context.DeadlineExceeded is 504. It is 408 if the error has a StatusCode
//     method that returns 408, as the error of package timeout has if the handler
//     was waiting for the request body
//   - an error from reading the request's own body is 408 if a read deadline passed
//     (the server's ReadTimeout), otherwise 400
//   - os.ErrDeadlineExceeded and errors whose Timeout method returns true are 504
//   - context.Canceled gets no response if the client disconnected (logged as 499).
//     It is 504 if the request's deadline has passed, and 503 if the server is
//     shutting down and has ended its contexts. Otherwise it is 500, because the
//     application canceled its own work
//   - *http.MaxBytesError and multipart.ErrMessageTooLarge are 413, but only if the
//     request had a body
//   - an empty body and malformed forms, multipart forms and JSON (errors of
//     encoding/json and encoding/json/v2) are 400, but only if the request had such
//     a body: malformed JSON from an upstream is 500, and so is the io.EOF in the
//     error of an http.Client. encoding/json reports a truncated body as
//     io.ErrUnexpectedEOF, which could also come from a database connection; use
//     [DecodeJSON], which knows the difference
//   - an error with a method StatusCode() int has that status and, if it has a
//     method RetryAfter() time.Duration, that Retry-After. Its text is not shown.
//     If it also has ProblemType() string, ProblemTitle() string and
//     ProblemExtensions() map[string]any, as the errors of package quota do, the
//     Problem has these as its Type, Title and Extensions
//   - every other error is 500, or 502 if Write is the ErrorHandler of an
//     httputil.ReverseProxy
//
// A decoder may replace the error of reading the body by one of its own. So if
// reading the body failed, and the handler returns a 400, a 422 or an error that no
// rule matches, the error of reading decides. (If the decoder stops before it
// reaches the failure, there is no error of reading.)
//
// Some client libraries (several SDKs) have errors with a StatusCode method that
// returns an upstream's status. Write a rule for them. Otherwise the upstream's 401
// is sent as yours. For the same reason there is no built-in rule for errors with a
// GRPCStatus method. For your own errors of that kind, write a rule As[interface{
// error; GRPCStatus() *status.Status }].
func New(cfg Config) *Mapper {
	m := &Mapper{render: cfg.Render}
	switch {
	case cfg.Render == nil || isFunc(cfg.Render, ProblemJSON):
		m.form = formProblem
	case isFunc(cfg.Render, ErrorJSON):
		m.form = formError
	}
	return m.withRules(cfg.Rules, nil)
}

// With returns a Mapper that tries the given rules before those of m, for example
// for one route. If a rule has the same target or type as a rule of m, it replaces
// that rule. With panics as New does.
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

// joined returns the errors on one line.
func joined(errs []error) string {
	s := errs[0].Error()
	for _, err := range errs[1:] {
		s += "; " + err.Error()
	}
	return s
}

// Problem returns the Problem that Write would send for err. It neither writes a
// response nor records err.
//
// In four cases the response is a 500, and Write records the reason: the status of
// a rule's function, a *Problem or a StatusCode method is outside 400 to 599; a
// rule's function panics; a method of the error panics; or the tree has a cycle or
// no end. A typed nil (a nil *MyError in an error) matches no rule, so on its own
// it is a 500.
func (m *Mapper) Problem(r *http.Request, err error) Problem {
	var d decision
	m.decide(&d, exchange.From(r.Context()), r, err)
	return d.problem
}

// maxNoted bounds the errors that Note adds to a request, because each new error is
// compared with all others.
const maxNoted = 64

// Note adds err to the log record of the request, for an error that does not change
// the response. Note does nothing outside Bulwark's middleware, and if the record
// already has 64 errors.
func (m *Mapper) Note(r *http.Request, err error) {
	x := exchange.From(r.Context())
	if x == nil || err == nil || x.Notes.Causes() >= maxNoted {
		return
	}
	w := walk{t: m.table, best: len(m.table.rules)}
	if w.find(err); w.failure != nil {
		err = w.failure
	}
	x.Notes.AddCause(err)
}

var errNil = errors.New("errmap: Write was called with a nil error")
