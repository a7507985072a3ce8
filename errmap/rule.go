package errmap

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/bulwark-go/bulwark/internal/errtree"
)

// A Rule maps one kind of error to a Problem. [Is] and [As] make rules. A rule may
// be used in any number of mappers.
type Rule struct {
	name    string       // of a built-in
	target  error        // of Is
	typ     reflect.Type // of As
	problem Problem      // of Is

	matches func(error) bool          // the error is one of E
	ask     func(asker) (error, bool) // calls the error's own As method
	apply   func(error) Problem       // nil if Is made the rule

	when    func(error) bool // of a built-in: a further condition
	subject subject          // of a built-in: the part of the request that the error must be about
	special special          // of a built-in
}

// special marks the built-in rules that depend on the request.
type special uint8

const (
	specialCanceled  special = iota + 1 // the response depends on what canceled the context
	specialBodyFault                    // matches the error that reading the request's body gave
)

// asker and matcher are the methods that errors.As and errors.Is call.
type (
	asker   interface{ As(target any) bool }
	matcher interface{ Is(target error) bool }
)

// Is returns a Rule that maps errors for which errors.Is(err, target) is true to p.
func Is(target error, p Problem) Rule {
	return Rule{target: target, problem: p}
}

// As returns a Rule that maps errors in which errors.As finds an E, which may be a
// pointer type, a value type or an interface type. The client sees what f returns,
// so f must not copy text that is not meant for clients. If f panics or returns a
// status outside 400 to 599, the response is a 500, and the log record has the
// reason.
func As[E error](f func(E) Problem) Rule {
	r := Rule{typ: reflect.TypeFor[E]()}
	if f == nil {
		return r // New panics
	}
	r.matches = func(err error) bool { _, ok := err.(E); return ok } //nolint:errorlint // the walk unwraps
	r.apply = func(err error) Problem { return f(err.(E)) }          //nolint:errorlint,forcetypeassert // it fits
	r.ask = func(a asker) (error, bool) {
		var e E
		if !a.As(&e) {
			return nil, false
		}
		return e, !errtree.IsNil(e)
	}
	return r
}

// isInterface reports whether the rule is an As of an interface type.
func (r *Rule) isInterface() bool { return r.typ != nil && r.typ.Kind() == reflect.Interface }

// String returns the name of the rule.
func (r *Rule) String() string {
	switch {
	case r.name != "":
		return "the built-in " + strconv.Quote(r.name)
	case r.typ != nil:
		return "As[" + r.typ.String() + "]"
	case r.target != nil:
		return fmt.Sprintf("Is(%s)", describe(r.target))
	default:
		return "Rule{}"
	}
}

// describe returns the type and the text of an error.
func describe(err error) string {
	return fmt.Sprintf("%T %q", err, errtree.Text(err))
}

// check returns what is wrong with the rules. Each error names its rule.
func check(rules []Rule) []error {
	var errs []error
	for i := range rules {
		if err := rules[i].check(); err != nil {
			errs = append(errs, fmt.Errorf("Rules[%d], %s: %w", i, rules[i].String(), err))
			continue
		}
		for j := range rules[:i] {
			if why := rules[j].hides(&rules[i]); why != "" {
				errs = append(errs, fmt.Errorf("Rules[%d], %s, can never fire: %s Rules[%d], %s", i, rules[i].String(), why, j, rules[j].String()))
				break
			}
		}
	}
	return errs
}

// check returns what is wrong with a rule by itself.
func (r *Rule) check() error {
	switch {
	case r.typ != nil && r.apply == nil:
		return errors.New("the function is nil")
	case r.typ != nil:
		return nil
	case r.target == nil:
		return errors.New("the error is nil")
	case errtree.IsNil(r.target):
		return errors.New("the error is a nil of its type, which matches nothing")
	case !validErrorStatus(r.problem.Status):
		return fmt.Errorf("Status %d is not within 400 and 599", r.problem.Status)
	}
	if _, ok := r.target.(matcher); !ok && !reflect.ValueOf(r.target).Comparable() {
		return errors.New("the error can neither be compared nor has it an Is method")
	}
	return nil
}

// hides returns why s, registered after r, can never match.
func (r *Rule) hides(s *Rule) string {
	switch {
	case r.check() != nil:
		return ""
	case r.isInterface() && r.typ.NumMethod() == 1:
		return "every error matches"
	case r.typ != nil && s.typ == r.typ:
		return "the same type is in"
	case r.isInterface() && s.typ != nil && s.typ.Implements(r.typ):
		return "the type implements that of"
	case r.target != nil && s.target != nil && errtree.Same(r.target, s.target):
		return "the same error is in"
	default:
		return ""
	}
}
