package errmap

import (
	"fmt"
	"net/http"
)

// Explain says which rule fires for err, and why. It is for people: for a test
// that fails, or a debugger; its form may change.
func (m *Mapper) Explain(err error) string {
	if err == nil {
		return "no error: Handler answers nothing, Write answers " + status(http.StatusInternalServerError)
	}
	t := m.table
	w := walk{t: t, best: len(t.rules), left: maxNodes}
	w.find(err)
	var v verdict
	t.judge(&v, err)
	so := status(v.problem.Status)
	switch {
	case w.best == len(t.rules) && w.trouble != nil:
		return fmt.Sprintf("%v: %s", w.trouble, so)
	case w.best == len(t.rules):
		return fmt.Sprintf("no rule matches %s: %s", describe(err), so)
	case w.best == t.user+canceledRule:
		so = "nothing is sent if the client left, 504 if the request's deadline has passed, else " + so
	case v.why != nil:
		so += ", because " + text(v.why)
	}
	return fmt.Sprintf("%s fires: %s %s: %s", m.place(w.best), describe(w.node), w.how+" "+t.rules[w.best].wants(), so)
}

// place names a rule and where it stands.
func (m *Mapper) place(i int) string {
	r := &m.table.rules[i]
	if i >= m.table.user {
		return r.String()
	}
	return fmt.Sprintf("rule %d of %d, %s,", i+1, m.table.user, r)
}

// wants is what the rule looks for.
func (r *Rule) wants() string {
	if r.typ != nil {
		return r.typ.String()
	}
	return describe(r.target)
}

func status(code int) string { return fmt.Sprintf("%d %s", code, statusText(code)) }
