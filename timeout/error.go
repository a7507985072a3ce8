package timeout

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// ErrClientGone is the context.Cause of a request whose client has left: 499 in
// the log, nothing on the wire. errors.Is finds context.Canceled in it. net/http
// tells of that by a bare cancellation; so whoever cancels the contexts of
// requests himself, through http.Server.BaseContext, say, should do it with a
// cause (context.WithCancelCause), which is then the cause here.
var ErrClientGone = exchange.ErrClientGone

// Phase is what a request was doing when its time was up.
type Phase string

// The phases.
const (
	// PhaseBody: it waited for the client's own body. The answer is 408.
	PhaseBody Phase = "body"
	// PhaseHandler: the handler was at work and had not answered.
	PhaseHandler Phase = "handler"
	// PhaseResponse: the response had begun; it was cut off.
	PhaseResponse Phase = "response"
	// PhaseBudget: it was not started, for too little was left of the budget.
	PhaseBudget Phase = "budget"
)

// Error says that time was up. It is the context.Cause of a request that was
// ended by its deadline, what an ErrorHandler gets, and what [NewTransport]
// returns. errors.Is finds context.DeadlineExceeded in it.
type Error struct {
	Limit   time.Duration // the limit that was reached
	Elapsed time.Duration // how long it really took
	Phase   Phase
	Caller  bool // the limit was the caller's
}

// Error is for logs: it names the limit, the phase and the time.
func (e *Error) Error() string {
	whose := ""
	if e.Caller {
		whose = "the caller's "
	}
	switch e.Phase {
	case PhaseBudget:
		return fmt.Sprintf("timeout: not started with %s%v left", whose, e.Limit)
	case PhaseBody:
		return fmt.Sprintf("timeout: %s%v passed while waiting for the client's body, after %v", whose, e.Limit, e.Elapsed)
	case PhaseResponse:
		return fmt.Sprintf("timeout: %s%v passed during the response, after %v", whose, e.Limit, e.Elapsed)
	default:
		return fmt.Sprintf("timeout: %s%v passed without an answer, after %v", whose, e.Limit, e.Elapsed)
	}
}

// Is reports true for context.DeadlineExceeded.
func (e *Error) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout is true, as net.Error has it.
func (e *Error) Timeout() bool { return true }

// StatusCode is 408 Request Timeout where the client's own body was waited for,
// else 504 Gateway Timeout. 408 is never sent for a slow server: clients take
// it as an invitation to try again (RFC 9110 section 15.5.9).
func (e *Error) StatusCode() int {
	if e.Phase == PhaseBody {
		return http.StatusRequestTimeout
	}
	return http.StatusGatewayTimeout
}
