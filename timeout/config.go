package timeout

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Config configures [New]. Limit is required; the zero value of every other
// field is the documented default.
type Config struct {
	// Limit bounds a request from the moment the middleware sees it until its
	// response is complete. Required.
	Limit time.Duration

	// Max is the ceiling for Override, for Extend and for a caller's budget, all
	// counted from the start of the request; asking for more, or for no limit,
	// gives Max. Default 0: no ceiling, and a caller can only shorten.
	Max time.Duration

	// Stream is the longest silence once the response has started, instead of
	// Limit, which then bounds the time to the first byte. For SSE and
	// downloads. Default 0: Limit bounds the whole response.
	Stream time.Duration

	// MinBudget is the least that a caller's budget must be; a request with less
	// is refused with 504 at once and the handler not run. Default 0: only a
	// budget that is spent is refused.
	MinBudget time.Duration

	// TrustCaller tells whose deadline headers count: grpc-timeout,
	// X-Envoy-Expected-Rq-Timeout-Ms and X-Request-Timeout-Ms. A caller that
	// gives up after two seconds needs no answer after three. They shorten the
	// limit, or lengthen it up to Max. A budget that is spent, or less than
	// MinBudget, is refused with 504 at once; what is malformed, or longer than
	// a year, is passed over and noted in the log line. Default nil: nobody's.
	TrustCaller func(*http.Request) bool

	// Cooperative only cancels the context at the deadline and never answers for
	// the handler. Default false: the deadline is enforced.
	Cooperative bool

	// ErrorHandler answers with the *Error instead of the default: status and a
	// short plain-text body. It is called from another goroutine while the
	// handler may be running; its request is a snapshot that carries the
	// context, the request line, Host, RemoteAddr, TLS, and of the headers only
	// Accept and Accept-Language. What it writes is sent with its length, and
	// where it writes nothing the default answer is. (*errmap.Mapper).Write fits.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

func (c Config) validate() error {
	var errs []error
	if c.Limit <= 0 {
		errs = append(errs, errors.New("Limit must be positive"))
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"Max", c.Max}, {"Stream", c.Stream}, {"MinBudget", c.MinBudget}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", f.name))
		}
	}
	if c.Max > 0 && c.Max < c.Limit {
		errs = append(errs, errors.New("Max must not be less than Limit"))
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
