package errmap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// verdict is what becomes of an error.
type verdict struct {
	problem Problem
	rule    int   // index of the rule in the table, len(rules) for none
	cause   error // for the log
	why     error // why it is a 500 although a rule fired
	silent  bool  // the client left: nothing is to be sent

	panicked any // by the rule's function
	stack    []byte
}

// judge decides about err in the context of a request.
func (m *Mapper) judge(ctx context.Context, v *verdict, x *exchange.Exchange, err error) {
	if err == nil {
		v.problem, v.rule, v.cause = internal(), len(m.table.rules), errNil
		return
	}
	m.table.judge(v, err)
	if v.rule == m.table.user+canceledRule {
		v.canceled(ctx, x)
	}
	if x == nil || !m.table.hidesBodyError(v) {
		return
	}
	if be := x.BodyError(); be != nil {
		cause := v.cause
		*v = verdict{}
		m.table.judge(v, be)
		v.cause = errors.Join(v.cause, cause)
	}
}

// judge decides about err by the rules alone.
func (t *table) judge(v *verdict, err error) {
	w := walk{t: t, best: len(t.rules), left: maxNodes}
	w.find(err)
	v.rule, v.cause = w.best, err
	if w.trouble != nil {
		v.cause = w.trouble
	}
	if w.best == len(t.rules) {
		v.problem = internal()
	} else if r := &t.rules[w.best]; r.apply == nil {
		v.problem = r.problem
	} else {
		v.applied(r, w.node)
	}
}

// applied calls the function of an As rule.
func (v *verdict) applied(r *Rule, node error) {
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler: //nolint:errorlint // as net/http compares it
			panic(p)
		default:
			v.panicked, v.stack = p, debug.Stack()
			v.failed(fmt.Errorf("errmap: %v panicked: %s", r, printed(p)))
		}
	}()
	p := r.apply(node)
	if sound(p.Status) {
		v.problem = p
	} else {
		v.failed(fmt.Errorf("errmap: %v gave the status %d", r, p.Status))
	}
}

func (v *verdict) failed(why error) {
	v.problem, v.why = internal(), why
	v.cause = errors.Join(why, v.cause)
}

// canceled tells whose cancellation it was: that of the client who left, that
// of a deadline whose news came late (a peer of ours may hang up a moment
// before our own timer fires), or our own, which is a failure of ours.
func (v *verdict) canceled(ctx context.Context, x *exchange.Exchange) {
	switch at, ok := ctx.Deadline(); {
	case x != nil && x.ClientGone():
		v.problem, v.silent = answer(statusClientGone), true
	case ctx.Err() == context.DeadlineExceeded, ok && !time.Now().Before(at):
		v.problem = late(http.StatusGatewayTimeout)
	}
}

// statusClientGone is nginx's, for the log alone.
const statusClientGone = 499

// hidesBodyError reports whether v may be what a decoder made of a body that
// hit its limit: the client's mistake, or nothing anybody knows.
func (t *table) hidesBodyError(v *verdict) bool {
	switch v.problem.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return true
	default:
		return v.rule == len(t.rules)
	}
}

// note tells the exchange what happened.
func (v *verdict) note(x *exchange.Exchange) {
	if v.panicked != nil {
		x.Panicked(v.panicked, v.stack)
	}
	x.Note(v.cause)
	if v.problem.Level != nil {
		x.SetLevel(v.problem.Level)
	}
}
