package errmap

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// Rule says what becomes of one kind of error. Rules are made by [Is] and [As];
// they may be used in any number of mappers and shared freely.
type Rule struct {
	name    string       // of a built-in
	target  error        // of Is
	typ     reflect.Type // of As
	problem Problem      // of Is

	fits  func(error) bool          // the error is one of E
	when  func(error) bool          // of a built-in: a further condition
	ask   func(asker) (error, bool) // the error's own As method
	apply func(error) Problem       // nil where Is made the rule
}

// asker and matcher are the methods by which an error speaks for itself, see
// errors.As and errors.Is.
type (
	asker   interface{ As(target any) bool }
	matcher interface{ Is(target error) bool }
)

// Is maps target, wherever it stands in the tree of an error, as errors.Is
// finds it.
func Is(target error, p Problem) Rule {
	return Rule{target: target, problem: p}
}

// As maps errors of type E, wherever one stands in the tree of an error, as
// errors.As finds them: E is a pointer type, a value type or an interface type.
// f makes of the error what the client is told, so it must not hand on text
// that is not meant for clients. If it panics, or gives a status outside of 400
// to 599, the answer is a 500 and the reason is noted.
func As[E error](f func(E) Problem) Rule {
	r := Rule{typ: reflect.TypeFor[E]()}
	if f == nil {
		return r // New says so
	}
	r.fits = func(err error) bool { _, ok := err.(E); return ok } //nolint:errorlint // the walk unwraps
	r.apply = func(err error) Problem { return f(err.(E)) }       //nolint:errorlint,forcetypeassert // it fits
	r.ask = func(a asker) (error, bool) {
		var e E
		if !a.As(&e) {
			return nil, false
		}
		return e, !isNil(reflect.ValueOf(e))
	}
	return r
}

// byInterface tells whether the rule is an As of an interface type.
func (r *Rule) byInterface() bool { return r.typ != nil && r.typ.Kind() == reflect.Interface }

// String names the rule.
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

// describe names an error for people who read code: its type and its text.
func describe(err error) string {
	return fmt.Sprintf("%T %q", err, text(err))
}

// text is err.Error(), whatever that does.
func text(err error) (s string) {
	defer func() {
		if v := recover(); v != nil {
			s = fmt.Sprintf("%T whose Error method panics", err)
		}
	}()
	return err.Error()
}

// isNil reports whether v is nil or a nil of a concrete type. An error that is
// one is nobody's error: it was returned through an interface by mistake.
func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return v.IsNil()
	default:
		return false
	}
}

// check returns what is wrong with the rules, each line naming its rule.
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

// check tells what is wrong with a rule by itself.
func (r *Rule) check() error {
	switch {
	case r.typ != nil && r.apply == nil:
		return errors.New("the function is nil")
	case r.typ != nil:
		return nil
	case r.target == nil:
		return errors.New("the error is nil")
	case isNil(reflect.ValueOf(r.target)):
		return errors.New("the error is a nil of its type, which matches nothing")
	case !sound(r.problem.Status):
		return fmt.Errorf("Status %d is not within 400 and 599", r.problem.Status)
	}
	if _, ok := r.target.(matcher); !ok && !reflect.ValueOf(r.target).Comparable() {
		return errors.New("the error can neither be compared nor has it an Is method")
	}
	return nil
}

// hides tells why s, registered after r, never fires.
func (r *Rule) hides(s *Rule) string {
	switch {
	case r.check() != nil:
		return ""
	case r.byInterface() && r.typ.NumMethod() == 1:
		return "every error matches"
	case r.typ != nil && s.typ == r.typ:
		return "the same type is in"
	case r.byInterface() && s.typ != nil && s.typ.Implements(r.typ):
		return "the type implements that of"
	case r.target != nil && s.target != nil && same(r.target, s.target):
		return "the same error is in"
	default:
		return ""
	}
}

// same is r == s for errors that may not be comparable.
func same(r, s error) bool {
	return reflect.TypeOf(r) == reflect.TypeOf(s) && reflect.ValueOf(r).Comparable() &&
		reflect.ValueOf(s).Comparable() && r == s //nolint:errorlint // identity is meant
}
