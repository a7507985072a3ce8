// Package errtree safely walks the trees that errors form by their Unwrap methods,
// and safely prints errors. A tree may be infinite or have a cycle, many paths may
// lead to the same error, and every method may panic. Errors are visited in the
// order of errors.Is: depth first, in the order of Unwrap() []error.
package errtree

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrEndless is returned by [Walk] for a tree with a cycle, or for a tree that is
// so large that its Unwrap methods must be generating it. Do not print such an
// error: its Error method is likely to recurse until the stack overflows, which
// ends the process.
var ErrEndless = errors.New("the tree of the error has a cycle or no end")

// PanicError is returned by [Walk] if a method of an error panicked.
type PanicError struct{ Value any }

func (e *PanicError) Error() string { return "a method of the error panicked: " + Printed(e.Value) }

const (
	// budget bounds a walk: an error costs 1, and a call of Unwrap unwrapCost more.
	// So a list of a million errors in memory is walked to its end, but a chain of
	// a hundred thousand calls of Unwrap counts as infinite.
	budget     = 1 << 21
	unwrapCost = 16

	// trustful is how many wrapping errors are visited before the walk begins to
	// record the errors that it has seen. Hardly any tree has more.
	trustful = 64
)

// Walk calls visit for err and for every error below it until visit returns false.
// In a large tree, an error that wraps others is visited only once, even if several
// paths lead to it.
//
// A nil of a concrete type (see [IsNil]) is visited, but never unwrapped.
//
// Walk returns nil, [ErrEndless], or a *[PanicError] if a method of an error, or
// visit, panicked. If it returns an error, visit has not seen the whole tree.
func Walk(err error, visit func(error) (more bool)) (failure error) {
	defer func() {
		if v := recover(); v != nil {
			failure = &PanicError{v}
		}
	}()
	w := walker{left: budget}
	for err != nil || w.next(&err) {
		if err == nil {
			continue // a nil in a list
		}
		if w.left--; w.left < 0 {
			return ErrEndless
		}
		if !visit(err) {
			return nil
		}
		if err = w.unwrap(err); w.endless {
			return ErrEndless
		}
	}
	return nil
}

// walker is the state of a walk.
type walker struct {
	left    int            // what is left of the budget
	calls   int            // how many calls of Unwrap were made
	lists   []list         // the lists that are not at their end, outermost first
	path    []error        // the wrapping errors above the next error
	seen    map[error]bool // wrapping errors; true: on path
	endless bool           // an error was found in the tree below itself
}

// list is the part of the result of Unwrap() []error that has not been visited yet.
type list struct {
	rest  []error
	above int // the length of path for each error in the list
}

// next takes the next error from the innermost list that has one.
func (w *walker) next(err *error) bool {
	for n := len(w.lists); n > 0; n-- {
		l := &w.lists[n-1]
		w.leave(l.above)
		if len(l.rest) > 0 {
			*err, l.rest = l.rest[0], l.rest[1:]
			return true
		}
		w.lists = w.lists[:n-1]
	}
	return false
}

// leave shortens path to n.
func (w *walker) leave(n int) {
	for _, err := range w.path[n:] {
		w.seen[err] = false
	}
	w.path = w.path[:n]
}

// unwrap returns the error that err wraps. If err wraps several, they are added to
// lists.
func (w *walker) unwrap(err error) error {
	switch err.(type) { //nolint:errorlint // this is the walk itself
	case interface{ Unwrap() error }, interface{ Unwrap() []error }:
		if IsNil(err) || w.known(err) {
			return nil
		}
	default:
		return nil
	}
	w.left -= unwrapCost
	switch u := err.(type) { //nolint:errorlint // the same
	case interface{ Unwrap() error }:
		return u.Unwrap()
	case interface{ Unwrap() []error }:
		if errs := u.Unwrap(); len(errs) > 0 {
			w.lists = append(w.lists, list{errs, len(w.path)})
		}
	}
	return nil
}

// known reports whether err was visited before, and records err. Only pointers are
// recorded. Other values may not be comparable. They can be part of a cycle only
// through a pointer, a slice or a map; the budget ends such a walk.
func (w *walker) known(err error) bool {
	if w.calls++; w.calls <= trustful || reflect.TypeOf(err).Kind() != reflect.Pointer {
		return false
	}
	if w.seen == nil {
		w.seen = make(map[error]bool)
	}
	above, known := w.seen[err]
	w.endless = above
	if !known {
		w.seen[err] = true
		w.path = append(w.path, err)
	}
	return known
}

// Contains reports whether target is in the tree of err. It does not call Is
// methods. If Walk fails, only the part before the failure is searched.
func Contains(err, target error) (found bool) {
	if target == nil {
		return false
	}
	_ = Walk(err, func(e error) bool { // an error of Walk does not matter
		found = Same(e, target)
		return !found
	})
	return found
}

// Same reports whether a == b. It returns false if the values cannot be compared.
func Same(a, b error) (same bool) {
	defer func() { _ = recover() }() // for example a struct with a slice in an interface field
	return a == b                    //nolint:errorlint // identity, not errors.Is
}

// IsNil reports whether err is nil or a nil of a concrete type. A nil of a concrete
// type is usually a mistake, and its methods are likely to panic.
func IsNil(err error) bool {
	switch v := reflect.ValueOf(err); v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return v.IsNil()
	default:
		return false
	}
}

// Text returns err.Error(). If that method panics or must not be called (see
// [ErrEndless]), Text returns a description of err. It returns "" for nil.
func Text(err error) string {
	if err == nil {
		return ""
	}
	if failure := Walk(err, func(error) bool { return true }); failure == ErrEndless { //nolint:errorlint // Walk returns it bare
		return fmt.Sprintf("%T: %v", err, failure)
	}
	return call(err, err.Error)
}

// Printed returns the value of a panic as text, even if its methods panic. Like the
// runtime, it shows only basic values. Package fmt would print the credentials of a
// request, and would follow a cycle until the stack overflows and the process ends.
func Printed(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case error:
		return Text(v)
	case fmt.Stringer:
		return call(v, v.String)
	}
	switch k := reflect.ValueOf(v).Kind(); {
	case k <= reflect.Complex128, k == reflect.String:
		return fmt.Sprint(v)
	default:
		return fmt.Sprintf("a %T", v)
	}
}

// call returns the result of a method of v.
func call(v any, method func() string) (s string) {
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("%T, which panics when it is printed", v)
		}
	}()
	return method()
}
