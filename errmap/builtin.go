package errmap

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"time"
)

// builtins come after the user's rules, in this order.
var builtins = []Rule{
	builtin("problem", As(func(p *Problem) Problem { return *p })).only(func(err error) bool { return !remote(err) }),
	builtin("remote problem", As(func(*Problem) Problem { return answer(http.StatusBadGateway) })).only(remote),
	builtin("deadline, waiting for the client", As(func(timedError) Problem { return late(http.StatusRequestTimeout) })).only(clientSlow),
	builtin("deadline", Is(context.DeadlineExceeded, late(http.StatusGatewayTimeout))),
	builtin("i/o deadline", Is(os.ErrDeadlineExceeded, late(http.StatusGatewayTimeout))),
	builtin("timeout", As(func(timedError) Problem { return late(http.StatusGatewayTimeout) })).only(timedOut),
	builtin("canceled", Is(context.Canceled, internal())),
	builtin("body too large", As(func(*http.MaxBytesError) Problem { return answer(http.StatusRequestEntityTooLarge) })),
	builtin("JSON syntax", As(func(*json.SyntaxError) Problem { return answer(http.StatusBadRequest) })),
	builtin("JSON type", As(func(*json.UnmarshalTypeError) Problem { return answer(http.StatusBadRequest) })),
	builtin("status code", As(fromStatus)).only(hasStatus),
}

// canceledRule is where "canceled" stands in builtins: what it means depends on
// the request.
var canceledRule = func() int {
	for i := range builtins {
		if builtins[i].target == context.Canceled { //nolint:errorlint // the target itself
			return i
		}
	}
	panic("unreachable")
}()

func builtin(name string, r Rule) Rule {
	r.name = name
	return r
}

// only narrows a rule. The condition of an interface type looks for the type
// itself: cheaper than the generic way, and every unknown error comes by here.
func (r Rule) only(when func(error) bool) Rule {
	r.when = when
	if r.byInterface() {
		r.fits = when
	}
	return r
}

// timedError is the half of net.Error that everybody has.
type timedError interface {
	error
	Timeout() bool
}

// statusError is an error that knows its status, as those of timeout, limits
// and Echo do.
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

// clientSlow reports whether err is a deadline of our own that passed while the
// client's body was waited for. Somebody else's 408, carried by an error of a
// client library, is no such thing: it is not a context.DeadlineExceeded.
func clientSlow(err error) bool {
	s, ok := err.(statusError) //nolint:errorlint // the walk unwraps
	if !ok || s.StatusCode() != http.StatusRequestTimeout {
		return false
	}
	m, ok := err.(matcher)
	return ok && m.Is(context.DeadlineExceeded)
}

func answer(status int) Problem { return Problem{Status: status, from: fromBuiltin} }

func late(status int) Problem {
	return Problem{Status: status, Code: "timeout", from: fromBuiltin}
}

// fromStatus takes the status and the time to wait, and no text.
func fromStatus(err statusError) Problem {
	p := answer(err.StatusCode())
	if p.Status == http.StatusInternalServerError {
		p = internal()
	}
	if r, ok := err.(interface{ RetryAfter() time.Duration }); ok {
		p.RetryAfter = r.RetryAfter()
	}
	return p
}
