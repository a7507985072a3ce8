package errmap

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/bulwark-go/bulwark/internal/errtree"
)

// walk finds the first rule, in registration order, that matches anywhere in the
// tree of an error. If several errors match one rule, it takes the first in the order
// of errors.Is.
type walk struct {
	t     *table
	facts facts
	best  int   // index of the rule; len(t.rules) if none matches
	node  error // the error that it matched
	how   string

	typedNil reflect.Type // the type of a nil pointer that was returned as an error
	failure  error        // why the tree cannot be used
}

// find walks the tree of err. If a method panics or the tree has no end, no rule
// matches, and no method of err may be called again.
func (w *walk) find(err error) {
	switch failure := errtree.Walk(err, w.visit); {
	case failure != nil:
		w.fail(failure, err)
	case w.typedNil != nil:
		w.failure = untrusted{fmt.Sprintf("errmap: a nil %v was returned as an error: %s", w.typedNil, errtree.Text(err))}
	}
}

// fail discards what was found.
func (w *walk) fail(failure, err error) {
	if p, ok := errors.AsType[*errtree.PanicError](failure); ok && p.Value == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		panic(p.Value)
	}
	w.best, w.node = len(w.t.rules), nil
	w.failure = untrusted{fmt.Sprintf("errmap: %v: %s", failure, errtree.Text(err))}
}

func (w *walk) visit(err error) bool {
	if v := reflect.ValueOf(err); errtree.IsNil(err) {
		w.typedNil = v.Type()
	} else {
		w.facts.call = w.facts.call || isCall(err)
		w.match(err, v)
	}
	return true
}

// match tries one error with the rules before the best one so far.
func (w *walk) match(err error, v reflect.Value) {
	if s := w.t.types[v.Type()]; s != nil {
		w.matchType(s, err, v)
	}
	if i := w.t.bodyFault; i < w.best && w.facts.fault != nil && errtree.Same(err, w.facts.fault) {
		w.take(i, err, "is what failed in the")
	}
	for _, i := range w.t.interfaces {
		if i >= w.best {
			break
		}
		if w.t.rules[i].matches(err) {
			w.take(i, err, "is a")
			break
		}
	}
	if m, ok := err.(matcher); ok {
		w.askIs(m, err)
	}
	if a, ok := err.(asker); ok {
		w.askAs(a)
	}
}

// allows reports whether the other conditions of a rule are met.
func (w *walk) allows(i int, err error) bool {
	r := &w.t.rules[i]
	return (r.when == nil || r.when(err)) && (r.subject == ofAnything || w.facts.about(r.subject, err))
}

func (w *walk) take(i int, node error, how string) { w.best, w.node, w.how = i, node, how }

func (w *walk) matchType(s *typeRules, err error, v reflect.Value) {
	for _, i := range s.as {
		if i < w.best && w.allows(i, err) {
			w.take(i, err, "is a")
		}
	}
	if s.targets != nil && (s.strict || v.Comparable()) {
		if i, ok := s.targets[err]; ok && i < w.best && w.allows(i, err) {
			w.take(i, err, "is the")
		}
	}
}

// askIs calls the Is method of an error with every target that could still win.
func (w *walk) askIs(m matcher, err error) {
	for _, i := range w.t.sentinels {
		if i >= w.best {
			return
		}
		if m.Is(w.t.rules[i].target) && w.allows(i, w.t.rules[i].target) {
			w.take(i, err, "says by its Is method that it is the")
			return
		}
	}
}

// askAs calls the As method of an error with the types that could still win.
func (w *walk) askAs(a asker) {
	for _, list := range [...][]int{w.t.concrete, w.t.interfaces} {
		for _, i := range list {
			if i >= w.best {
				break
			}
			if e, ok := w.t.rules[i].ask(a); ok && w.allows(i, e) {
				w.take(i, e, "came from an As method and is a")
				break
			}
		}
	}
}

// untrusted is logged instead of an error whose methods panic or whose tree has no
// end.
type untrusted struct{ text string }

func (u untrusted) Error() string { return u.text }
