package errmap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/bulwark-go/bulwark/internal/errtree"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

// decision is what an error is mapped to.
type decision struct {
	problem    Problem
	rule       int   // index of the rule in the table; len(rules) if none matched
	cause      error // for the log record
	reason     error // why it is a 500 although a rule matched
	noResponse bool  // the client has left

	panicked any // by the rule's function
	stack    []byte
}

// decide maps err in the context of a request.
func (m *Mapper) decide(d *decision, x *exchange.Exchange, r *http.Request, err error) {
	if err == nil {
		d.problem, d.rule, d.cause = internal(), len(m.table.rules), errNil
		return
	}
	f := factsOf(x, r)
	m.table.decide(d, f, err)
	if d.rule == m.table.canceled {
		d.canceled(r.Context(), x)
	}
	m.table.recallBody(d, x, f)
	if d.rule == len(m.table.rules) && d.problem.Status == http.StatusInternalServerError && f.call {
		d.problem = statusProblem(http.StatusBadGateway)
	}
}

// decide maps err by the rules alone.
func (t *table) decide(d *decision, f facts, err error) {
	w := walk{t: t, facts: f, best: len(t.rules)}
	w.find(err)
	d.rule, d.cause = w.best, err
	if w.failure != nil {
		d.cause = w.failure
	}
	switch {
	case w.best == len(t.rules):
		d.problem = internal()
	case w.best == t.bodyFault:
		d.problem = f.problem()
	case t.rules[w.best].apply == nil:
		d.problem = t.rules[w.best].problem
	default:
		d.applied(&t.rules[w.best], w.node)
	}
}

// applied calls the function of an As rule.
func (d *decision) applied(r *Rule, node error) {
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler: //nolint:errorlint // as net/http compares it
			panic(p)
		default:
			d.panicked, d.stack = p, debug.Stack()
			d.failed(fmt.Errorf("errmap: %v panicked: %s", r, errtree.Printed(p)))
		}
	}()
	p := r.apply(node)
	if validErrorStatus(p.Status) {
		d.problem = p
	} else {
		d.failed(fmt.Errorf("errmap: %v returned status %d", r, p.Status))
	}
}

func (d *decision) failed(reason error) {
	d.problem, d.reason = internal(), reason
	d.cause = errors.Join(reason, d.cause)
}

// canceled maps context.Canceled. There are four cases. The client has left. The
// deadline has passed, even if its timer has not fired yet. The server is shutting
// down and ends its contexts. In all other cases the application canceled its own
// work, which is a 500.
func (d *decision) canceled(ctx context.Context, x *exchange.Exchange) {
	switch at, ok := ctx.Deadline(); {
	case x != nil && x.ClientGone():
		d.problem, d.noResponse = statusProblem(statusClientGone), true
	case ctx.Err() == context.DeadlineExceeded, ok && !time.Now().Before(at):
		d.problem = timeoutProblem(http.StatusGatewayTimeout)
	case x != nil && x.Parent().Err() != nil:
		d.problem = statusProblem(http.StatusServiceUnavailable)
	}
}

// statusClientGone is the status that nginx logs if the client disconnected. It is
// never sent.
const statusClientGone = 499

// recallBody replaces the decision if reading the request's body failed and a
// decoder may have lost that error. That may be so if the decision is a 400 or 422,
// or if no rule matched.
func (t *table) recallBody(d *decision, x *exchange.Exchange, f facts) {
	unmatched := d.rule == len(t.rules)
	if x == nil || !unmatched && d.problem.Status != http.StatusBadRequest && d.problem.Status != http.StatusUnprocessableEntity {
		return
	}
	cause := d.cause
	if err := x.Notes.BodyError(); err != nil {
		*d = decision{}
		t.decide(d, f, err)
		d.cause = errors.Join(d.cause, cause)
		return
	}
	switch f.kind {
	case exchange.BodyTimeout, exchange.BodyTooLarge:
	case exchange.BodyTruncated, exchange.BodyMalformed:
		if !unmatched {
			return // the decision already is a 400
		}
	default:
		return
	}
	d.problem, d.cause = f.problem(), errors.Join(f.fault, cause)
}

// note records the decision in the exchange.
func (d *decision) note(x *exchange.Exchange) {
	if d.panicked != nil {
		x.Notes.Panicked(d.panicked, d.stack)
	}
	x.Notes.AddCause(d.cause)
	if d.problem.Level != nil {
		x.Notes.SetLevel(d.problem.Level)
	}
}
