package timeout

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Config configures [New]. Limit is required. The zero value of every other field
// means the documented default.
type Config struct {
	// Limit bounds a request from the moment the middleware sees it until its
	// response is complete. Required.
	Limit time.Duration

	// Max is the longest limit that Override and Reset can set, counted from the
	// start of the request. A longer limit, or none, becomes Max. Default 0: no
	// maximum.
	Max time.Duration

	// MaxCaller is the longest limit that a trusted caller's budget can set, counted
	// from the start of the request. See TrustCaller. Default 0: a budget can only
	// shorten Limit.
	MaxCaller time.Duration

	// Stream is the idle limit of a response that has started, for server-sent
	// events and downloads. If it is set, Limit bounds only the time to the first
	// byte. Default 0: Limit bounds the whole response.
	//
	// Stream does not lift a WriteTimeout of the http.Server, which counts from the
	// end of the request's header and breaks the stream even if it is not idle. Leave
	// WriteTimeout at 0, or have the handler lift it with
	// http.NewResponseController(w).SetWriteDeadline(time.Time{}).
	Stream time.Duration

	// MinBudget is the smallest budget that is served. A request with less is
	// answered with 504 at once, and the handler is not run. Default 0: only a spent
	// budget is refused.
	MinBudget time.Duration

	// TrustCaller reports whether the deadline headers of a request count:
	// grpc-timeout, X-Envoy-Expected-Rq-Timeout-Ms and X-Request-Timeout-Ms. They
	// carry the caller's budget, the time that the caller will wait. A budget
	// shortens the limit, or lengthens it up to MaxCaller. If there are several
	// budgets, the shortest one applies. A budget that is spent, or less than
	// MinBudget, is refused. A value that is malformed, or longer than a year, is
	// ignored, and the log record has a remark. Default nil: no caller is trusted.
	TrustCaller func(*http.Request) bool

	// Cooperative makes the deadline only end the context. The response is left to
	// the handler, however late it is. Default false: the deadline is enforced.
	Cooperative bool

	// Detach asserts that no middleware or router outside this middleware reuses
	// the state of a request when ServeHTTP returns. Tracing middleware does not
	// reuse it. Routers that pool their contexts do (Gin, Echo, chi). With Detach,
	// an HTTP/2 stream ends cleanly at the deadline even if the handler is stuck.
	// Default false: the stream does so only if the outermost Bulwark middleware is
	// http.Server.Handler itself. See "HTTP/2" in the documentation of New.
	Detach bool

	// ErrorHandler writes the response at the deadline, and the response to a
	// request whose budget is refused. Its error is an *Error. At the deadline
	// ErrorHandler runs on another goroutine, and the handler may still be running.
	// So it gets a copy of the request with only the context, the request line,
	// Host, RemoteAddr, TLS, and the headers Accept and Accept-Language. The
	// response is sent with a Content-Length; the response to HEAD only if
	// ErrorHandler writes a body or sets that header. If ErrorHandler writes nothing,
	// the default response is sent. At the deadline it is also sent if ErrorHandler
	// writes more than 4 MiB, or does not return within 5 s. (*errmap.Mapper).Write
	// can be used here. Default nil: the status and a short plain-text body.
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
	}{{"Max", c.Max}, {"MaxCaller", c.MaxCaller}, {"Stream", c.Stream}, {"MinBudget", c.MinBudget}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", f.name))
		}
	}
	if c.Max > 0 && c.Max < c.Limit {
		errs = append(errs, errors.New("Max must not be less than Limit"))
	}
	if c.MaxCaller > 0 && c.MaxCaller < c.Limit {
		errs = append(errs, errors.New("MaxCaller must not be less than Limit"))
	}
	return joined(errs)
}

// joined is errors.Join on one line. It returns nil if errs is empty.
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
