package errmap

import (
	"fmt"
	"net/http"
	"reflect"
)

// maxNodes bounds the tree of an error. Ten thousand joined errors are a
// validation gone wild; more is a cycle.
const maxNodes = 10_000

// walk looks for the first rule, in registration order, that matches anywhere
// in the tree of an error. It visits every error once, depth first, as
// errors.Is does; of several that match one rule the first is taken.
type walk struct {
	t    *table
	best int   // index of the rule, len(t.rules) where none matches
	node error // the error that it matched
	how  string

	left     int          // how many errors may still be visited
	typedNil reflect.Type // of a nil that was returned as an error
	trouble  error        // why the tree is not to be trusted
}

// find walks the tree of err. An error with a method that panics, and a tree
// without an end, are trouble: nothing matches them, and nobody else should
// walk them.
func (w *walk) find(err error) {
	defer w.survive(err)
	w.visit(err)
	switch {
	case w.trouble != nil:
		w.distrust(w.trouble)
	case w.typedNil != nil:
		w.trouble = unsound{fmt.Sprintf("errmap: a nil %v was returned as an error: %s", w.typedNil, text(err))}
	}
}

// survive is to be deferred.
func (w *walk) survive(err error) {
	switch v := recover(); {
	case v == nil:
	case v == http.ErrAbortHandler: //nolint:errorlint // as net/http compares it
		panic(v)
	default:
		w.distrust(unsound{fmt.Sprintf("errmap: a method of the error panicked: %s: %s", printed(v), text(err))})
	}
}

func (w *walk) distrust(why error) {
	w.trouble, w.best, w.node = why, len(w.t.rules), nil
}

func (w *walk) visit(err error) {
	for err != nil {
		if w.left--; w.left < 0 {
			w.trouble = unsound{fmt.Sprintf("errmap: a tree of more than %d errors, from %T", maxNodes, err)}
			return
		}
		v := reflect.ValueOf(err)
		if isNil(v) {
			w.typedNil = v.Type()
			return
		}
		w.match(err, v)
		switch u := err.(type) { //nolint:errorlint // this is the walk
		case interface{ Unwrap() error }:
			err = u.Unwrap()
		case interface{ Unwrap() []error }:
			w.visitAll(u.Unwrap())
			return
		default:
			return
		}
	}
}

func (w *walk) visitAll(errs []error) {
	for _, err := range errs {
		if w.visit(err); w.left < 0 {
			return
		}
	}
}

// match holds one error against the rules that are better than the best.
func (w *walk) match(err error, v reflect.Value) {
	if s := w.t.types[v.Type()]; s != nil {
		w.matchSlot(s, err, v)
	}
	for _, i := range w.t.interfaces {
		if i >= w.best {
			break
		}
		if w.t.rules[i].fits(err) {
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

func (w *walk) take(i int, node error, how string) { w.best, w.node, w.how = i, node, how }

func (w *walk) matchSlot(s *slot, err error, v reflect.Value) {
	for _, i := range s.as {
		if r := &w.t.rules[i]; i < w.best && (r.when == nil || r.when(err)) {
			w.take(i, err, "is a")
		}
	}
	if s.targets != nil && (s.strict || v.Comparable()) {
		if i, ok := s.targets[err]; ok && i < w.best {
			w.take(i, err, "is the")
		}
	}
}

// askIs asks an error that has an Is method. There is no way around asking it
// about every target that could still win.
func (w *walk) askIs(m matcher, err error) {
	for _, i := range w.t.sentinels {
		if i >= w.best {
			return
		}
		if m.Is(w.t.rules[i].target) {
			w.take(i, err, "says by its Is method that it is the")
			return
		}
	}
}

// askAs asks an error that has an As method for the types that could still win.
func (w *walk) askAs(a asker) {
	for _, list := range [...][]int{w.t.concrete, w.t.interfaces} {
		for _, i := range list {
			if i >= w.best {
				break
			}
			r := &w.t.rules[i]
			if e, ok := r.ask(a); ok && (r.when == nil || r.when(e)) {
				w.take(i, e, "came from an As method and is a")
				break
			}
		}
	}
}

// unsound stands in the log for an error that nobody should touch: its methods
// panic, or its tree has no end.
type unsound struct{ text string }

func (u unsound) Error() string { return u.text }

// printed is a panic's value as text, whatever its methods do.
func printed(v any) string {
	if err, ok := v.(error); ok {
		return text(err)
	}
	return fmt.Sprint(v) // fmt survives methods that panic
}
