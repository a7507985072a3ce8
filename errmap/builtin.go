package errmap

import (
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"reflect"
	"slices"
	"time"
)

// builtins come after the user's rules, in this order.
var builtins = slices.Concat([]Rule{
	builtin("problem", As(func(p *Problem) Problem { return *p })).onlyIf(func(err error) bool { return !remote(err) }),
	builtin("remote problem", As(func(*Problem) Problem { return statusProblem(http.StatusBadGateway) })).onlyIf(remote),
	builtin("deadline, waiting for the client", As(func(timedError) Problem { return timeoutProblem(http.StatusRequestTimeout) })).onlyIf(clientSlow),
	{name: "request body", special: specialBodyFault},
	builtin("deadline", Is(context.DeadlineExceeded, timeoutProblem(http.StatusGatewayTimeout))),
	builtin("i/o deadline", Is(os.ErrDeadlineExceeded, timeoutProblem(http.StatusGatewayTimeout))),
	builtin("timeout", As(func(timedError) Problem { return timeoutProblem(http.StatusGatewayTimeout) })).onlyIf(timedOut),
	builtin("canceled", Rule{target: context.Canceled, problem: internal(), special: specialCanceled}),
	builtin("body too large", As(func(*http.MaxBytesError) Problem { return statusProblem(http.StatusRequestEntityTooLarge) })).about(ofRequestBody),
	builtin("form too large", Is(multipart.ErrMessageTooLarge, statusProblem(http.StatusRequestEntityTooLarge))).about(ofRequestBody),
	builtin("empty body", Is(io.EOF, statusProblem(http.StatusBadRequest))).about(ofEmptyBody),
	badRequest("no multipart form", Is(http.ErrNotMultipart, Problem{})),
	badRequest("multipart form without a boundary", Is(http.ErrMissingBoundary, Problem{})),
	badRequest("form without the file", Is(http.ErrMissingFile, Problem{})),
	badRequest("multipart header", As(func(textproto.ProtocolError) Problem { return statusProblem(http.StatusBadRequest) })).about(ofMultipart),
	badRequest("form encoding", As(func(url.EscapeError) Problem { return statusProblem(http.StatusBadRequest) })).about(ofForm),
	badRequest("form separator", semicolonRule()).about(ofForm),
	builtin("JSON encoding", As(func(*json.MarshalerError) Problem { return internal() })), // an error of the server; the syntax error inside it is not the client's
	badRequest("JSON syntax", As(func(*json.SyntaxError) Problem { return statusProblem(http.StatusBadRequest) })).about(ofJSON),
	badRequest("JSON type", As(func(*json.UnmarshalTypeError) Problem { return statusProblem(http.StatusBadRequest) })).about(ofRequestBody),
}, builtinsJSONv2(), []Rule{
	builtin("status code", As(fromStatus)).onlyIf(hasStatus),
})

func builtin(name string, r Rule) Rule {
	r.name = name
	return r
}

func badRequest(name string, r Rule) Rule {
	if r.target != nil {
		r.problem = statusProblem(http.StatusBadRequest)
	}
	return builtin(name, r)
}

// onlyIf adds a condition to a rule. For an interface type the condition also
// replaces the generic type check, which is slower and would run for every error
// that no earlier rule matches.
func (r Rule) onlyIf(when func(error) bool) Rule {
	r.when = when
	if r.isInterface() {
		r.matches = when
	}
	return r
}

// about adds a condition on the request to a rule.
func (r Rule) about(s subject) Rule {
	r.subject = s
	return r
}

// semicolonRule matches the error of url.ParseQuery for a semicolon. The error has
// no exported type or variable, so its text is compared with the text of an error
// that url.ParseQuery returned.
func semicolonRule() Rule {
	_, semicolon := url.ParseQuery("a;b")
	return Rule{
		typ:     reflect.TypeOf(semicolon),
		when:    func(err error) bool { return err.Error() == semicolon.Error() },
		matches: func(error) bool { return false }, // a rule of a concrete type does not call it
		ask:     func(asker) (error, bool) { return nil, false },
		apply:   func(error) Problem { return statusProblem(http.StatusBadRequest) },
	}
}

// timedError is the part of net.Error that most errors implement.
type timedError interface {
	error
	Timeout() bool
}

// statusError is an error that knows its status, such as those of timeout, limits
// and Echo.
type statusError interface {
	error
	StatusCode() int
}

func remote(err error) bool {
	p, ok := err.(*Problem) //nolint:errorlint // the walk unwraps
	return ok && p.Remote()
}

func timedOut(err error) bool {
	t, ok := err.(timedError) //nolint:errorlint // the walk unwraps
	return ok && t.Timeout()
}

func hasStatus(err error) bool {
	_, ok := err.(statusError) //nolint:errorlint // the walk unwraps
	return ok
}

// clientSlow reports whether err is the error of a deadline that passed while the
// request body was read. If a client library's error has the 408 of another server,
// clientSlow returns false, because that error is not a context.DeadlineExceeded.
func clientSlow(err error) bool {
	s, ok := err.(statusError) //nolint:errorlint // the walk unwraps
	if !ok || s.StatusCode() != http.StatusRequestTimeout {
		return false
	}
	m, ok := err.(matcher)
	return ok && m.Is(context.DeadlineExceeded)
}

func statusProblem(status int) Problem { return Problem{Status: status} }

func timeoutProblem(status int) Problem { return Problem{Status: status, Code: codeTimeout} }

// internal returns the Problem of an error that no rule matches.
func internal() Problem {
	return Problem{Status: http.StatusInternalServerError, Code: codeInternal}
}

// The codes of the built-in problems.
const (
	codeInternal = "internal"
	codeTimeout  = "timeout"
)

// problemError is a statusError that knows its problem type, such as quota's. Its
// type, title and extensions are sent to the client.
type problemError interface {
	ProblemType() string
	ProblemTitle() string
	ProblemExtensions() map[string]any
}

// fromStatus returns a Problem with the status, the Retry-After and the problem type
// of err, but not its text.
func fromStatus(err statusError) Problem {
	p := statusProblem(err.StatusCode())
	if p.Status == http.StatusInternalServerError {
		p = internal()
	}
	if r, ok := err.(interface{ RetryAfter() time.Duration }); ok {
		p.RetryAfter = r.RetryAfter()
	}
	if t, ok := err.(problemError); ok {
		p.Type, p.Title, p.Extensions = t.ProblemType(), t.ProblemTitle(), t.ProblemExtensions()
	}
	return p
}
