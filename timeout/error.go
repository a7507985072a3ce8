package timeout

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// ErrClientGone is the cause of a request's context (see context.Cause) if the
// client disconnected. The log record has status 499, and nothing is sent.
// errors.Is(ErrClientGone, context.Canceled) is true.
//
// net/http reports a disconnect by canceling the context without a cause. If you
// cancel request contexts yourself, for example through http.Server.BaseContext,
// set a cause with context.WithCancelCause. Otherwise your cancellation looks like
// a disconnect.
var ErrClientGone = exchange.ErrClientGone

// Phase is what a request was doing at its deadline.
type Phase string

// The phases.
const (
	// PhaseBody: the handler was waiting for the request body. The response is 408.
	PhaseBody Phase = "body"
	// PhaseHandler: the handler was running and had not started a response. The
	// response is 504.
	PhaseHandler Phase = "handler"
	// PhaseResponse: the response had started. It is aborted.
	PhaseResponse Phase = "response"
	// PhaseBudget: too little of the budget was left, so the request was not started.
	// The response is 504.
	PhaseBudget Phase = "budget"
)

// Error reports that a deadline has passed. It is the cause of the request's
// context (see context.Cause), the error that an ErrorHandler gets, and the error
// that the RoundTripper of [NewTransport] returns. errors.Is(err,
// context.DeadlineExceeded) is true.
type Error struct {
	Limit   time.Duration // the limit that was exceeded; in PhaseBudget, what was left
	Elapsed time.Duration // the time until the limit was enforced
	Phase   Phase         // what the request was doing at the deadline
	Caller  bool          // the limit came from the caller's budget or, outbound, from the context's deadline

	below error // outbound: the error of the RoundTripper below
}

// Error returns a text for logs with the limit, the phase and the elapsed time.
func (e *Error) Error() string {
	if e.below != nil {
		return e.text() + ": " + e.below.Error()
	}
	return e.text()
}

func (e *Error) text() string {
	whose := ""
	if e.Caller {
		whose = "caller's "
	}
	switch e.Phase {
	case PhaseBudget:
		return fmt.Sprintf("timeout: not started: %sbudget of %v is too small", whose, e.Limit)
	case PhaseBody:
		return fmt.Sprintf("timeout: %slimit of %v exceeded while waiting for the request body, after %v", whose, e.Limit, e.Elapsed)
	case PhaseResponse:
		return fmt.Sprintf("timeout: %slimit of %v exceeded while sending the response, after %v", whose, e.Limit, e.Elapsed)
	default:
		return fmt.Sprintf("timeout: %slimit of %v exceeded, after %v", whose, e.Limit, e.Elapsed)
	}
}

// Unwrap returns the error of the RoundTripper below [NewTransport] or the cause of
// the caller's context, if it says more than that the deadline has passed.
func (e *Error) Unwrap() error { return e.below }

// Is reports whether target is context.DeadlineExceeded.
func (e *Error) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout returns true, as for a net.Error that is a timeout.
func (e *Error) Timeout() bool { return true }

// StatusCode returns 408 Request Timeout in PhaseBody, otherwise 504 Gateway
// Timeout. 408 is never sent for a slow server, because clients may repeat the
// request at once (RFC 9110 section 15.5.9).
func (e *Error) StatusCode() int {
	if e.Phase == PhaseBody {
		return http.StatusRequestTimeout
	}
	return http.StatusGatewayTimeout
}
