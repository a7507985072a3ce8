package errmap

import (
	"fmt"
	"net/http"

	"github.com/bulwark-go/bulwark/internal/errtree"
)

// Explain says which rule matches err, and why. The text is for people to read, for
// example in the message of a failed test. Its format may change.
func (m *Mapper) Explain(err error) string {
	if err == nil {
		return "no error: Handler writes nothing, Write sends " + status(http.StatusInternalServerError)
	}
	t := m.table
	w := walk{t: t, best: len(t.rules)}
	w.find(err)
	var d decision
	t.decide(&d, facts{}, err)
	so := status(d.problem.Status)
	switch {
	case w.best == len(t.rules) && w.failure != nil:
		return fmt.Sprintf("%v: %s", w.failure, so)
	case w.best == len(t.rules):
		return fmt.Sprintf("no rule matches %s: %s", describe(err), so)
	case w.best == t.canceled:
		so = "nothing is sent if the client left, 504 if the request's deadline has passed, 503 if the server is shutting down, else " + so
	case t.rules[w.best].subject != ofAnything:
		so += ", if the request's own body is what was decoded, else " + status(http.StatusInternalServerError)
	case d.reason != nil:
		so += ", because " + errtree.Text(d.reason)
	}
	return fmt.Sprintf("%s fires: %s %s: %s", m.place(w.best), describe(w.node), w.how+" "+t.rules[w.best].wants(), so)
}

// place names a rule and its position.
func (m *Mapper) place(i int) string {
	r := &m.table.rules[i]
	if i >= m.table.user {
		return r.String()
	}
	return fmt.Sprintf("rule %d of %d, %s,", i+1, m.table.user, r)
}

// wants describes what the rule matches.
func (r *Rule) wants() string {
	if r.typ != nil {
		return r.typ.String()
	}
	return describe(r.target)
}

func status(code int) string { return fmt.Sprintf("%d %s", code, statusText(code)) }
