package errmap_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/errmap"
)

// The kinds of errors for which there are rules.
type (
	pointerError struct{ id string }
	valueError   struct{ code int }
	sliceError   []string
	quotaError   struct{ pointerError }
	quota        interface {
		error
		Quota() int
	}
	isError struct{ targets []error }
	asError struct{ as any }
)

func (e *pointerError) Error() string { return "pointer " + e.id }
func (e valueError) Error() string    { return fmt.Sprint("value ", e.code) }
func (e sliceError) Error() string    { return fmt.Sprint("slice ", []string(e)) }
func (e *quotaError) Quota() int      { return 7 }
func (isError) Error() string         { return "is" }
func (asError) Error() string         { return "as" }

func (e isError) Is(target error) bool {
	return slices.Contains(e.targets, target)
}

func (e asError) As(target any) bool {
	switch t := target.(type) {
	case **pointerError:
		v, ok := e.as.(*pointerError)
		*t = v
		return ok
	case *quota:
		v, ok := e.as.(quota)
		*t = v
		return ok || e.as == nil
	default:
		return false
	}
}

// template is an error that cannot be compared and matches by its first word.
type template []string

func (t template) Error() string { return t[0] }
func (t template) Is(target error) bool {
	o, ok := target.(template)
	return ok && o[0] == t[0]
}

func is(target error, status int) errmap.Rule {
	return errmap.Is(target, errmap.Problem{Status: status})
}

func as[E error](status int) errmap.Rule {
	return errmap.As(func(E) errmap.Problem { return errmap.Problem{Status: status} })
}

func TestWhichRule(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("outer: %w", fmt.Errorf("inner: %w", err)) }
	for _, tt := range []struct {
		desc  string
		rules []errmap.Rule
		err   error
		want  int
	}{
		{"none", nil, errSecret, 500},
		{"a sentinel", []errmap.Rule{is(errNotFound, 404)}, errNotFound, 404},
		{"wrapped twice", []errmap.Rule{is(errNotFound, 404)}, wrap(errNotFound), 404},
		{"not by text", []errmap.Rule{is(errNotFound, 404)}, errors.New(errNotFound.Error()), 500},
		{"a pointer type", []errmap.Rule{as[*pointerError](409)}, wrap(&pointerError{}), 409},
		{"a value type", []errmap.Rule{as[valueError](409)}, wrap(valueError{1}), 409},
		{"a pointer to a value type is another", []errmap.Rule{as[valueError](409)}, wrap(&valueError{1}), 500},
		{"a value as a sentinel", []errmap.Rule{is(valueError{1}, 409)}, wrap(valueError{1}), 409},
		{"another value", []errmap.Rule{is(valueError{1}, 409)}, wrap(valueError{2}), 500},
		{"a slice type", []errmap.Rule{as[sliceError](422)}, wrap(sliceError{"x"}), 422},
		{"a slice among sentinels", []errmap.Rule{is(errNotFound, 404)}, wrap(sliceError{"x"}), 500},
		{"an interface type", []errmap.Rule{as[quota](429)}, wrap(&quotaError{}), 429},
		{"an Is method", []errmap.Rule{is(errConflict, 409), is(errNotFound, 404)}, wrap(isError{[]error{errNotFound}}), 404},
		{"an As method", []errmap.Rule{as[valueError](400), as[*pointerError](409)}, wrap(asError{&pointerError{}}), 409},
		{"an As method for an interface", []errmap.Rule{as[quota](429)}, wrap(asError{&quotaError{}}), 429},
		{"an As method that gives a typed nil", []errmap.Rule{as[*pointerError](409)}, wrap(asError{(*pointerError)(nil)}), 500},
		{"an As method that gives nothing", []errmap.Rule{as[quota](429)}, wrap(asError{}), 500},
		{"a target that only its Is method knows", []errmap.Rule{is(template{"a"}, 409)}, wrap(template{"a", "b"}), 409},
		{"and does not", []errmap.Rule{is(template{"a"}, 409)}, wrap(template{"b"}), 500},
		{"of two the first rule, however deep", []errmap.Rule{is(errNotFound, 404), as[*pointerError](409)}, errors.Join(&pointerError{}, wrap(errNotFound)), 404},
		{"and the other way round", []errmap.Rule{as[*pointerError](409), is(errNotFound, 404)}, errors.Join(wrap(errNotFound), &pointerError{}), 409},
		{"an interface before a type", []errmap.Rule{as[quota](429), is(errNotFound, 404)}, errors.Join(errNotFound, &quotaError{}), 429},
		{"a type before an interface", []errmap.Rule{as[*quotaError](404), as[quota](429)}, &quotaError{}, 404},
		{"two verbs", []errmap.Rule{is(errNotFound, 404)}, fmt.Errorf("%w and %w", errSecret, errNotFound), 404},
		{"the user's before a built-in", []errmap.Rule{is(os.ErrDeadlineExceeded, 503)}, wrap(os.ErrDeadlineExceeded), 503},
		{"system errors answer for themselves", []errmap.Rule{is(fs.ErrNotExist, 404)}, &fs.PathError{Err: syscall.ENOENT}, 404},
		{"the last one takes all", []errmap.Rule{is(errNotFound, 404), as[error](503)}, errSecret, 503},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			assert.Equal(t, tt.want, mapper(tt.rules...).Problem(get(), tt.err).Status)
		})
	}
}

func TestManyRulesOfOneType(t *testing.T) {
	var list []errmap.Rule
	var errs []error
	for i := range 150 {
		errs = append(errs, fmt.Errorf("error %d", i))
		list = append(list, is(errs[i], 400+i))
	}
	m := mapper(list...)
	for i, err := range errs {
		assert.Equal(t, 400+i, m.Problem(get(), fmt.Errorf("x: %w", err)).Status)
	}
}

func TestWith(t *testing.T) {
	base := mapper(is(errNotFound, 404), is(errConflict, 409))
	route := base.With(is(errNotFound, 410))
	assert.Equal(t, 410, route.Problem(get(), errNotFound).Status)
	assert.Equal(t, 409, route.Problem(get(), errConflict).Status)
	assert.Equal(t, 404, base.Problem(get(), errNotFound).Status, "the base is as it was")
	assert.Equal(t, 404, base.With().Problem(get(), errNotFound).Status)
	assert.PanicsWithValue(t, `errmap: Rules[0], Is(*errors.errorString "store: version conflict on row 4711"): Status 200 is not within 400 and 599`,
		func() { base.With(is(errConflict, 200)) })
}

func TestNewNamesEveryBadRule(t *testing.T) {
	ok := is(errNotFound, 404)
	for _, tt := range []struct {
		desc  string
		rules []errmap.Rule
		want  string
	}{
		{"no rule at all", []errmap.Rule{{}}, `errmap: Rules[0], Rule{}: the error is nil`},
		{"a nil error", []errmap.Rule{ok, is(nil, 404)}, `errmap: Rules[1], Rule{}: the error is nil`},
		{"a typed nil", []errmap.Rule{is((*valueError)(nil), 404)}, `errmap: Rules[0], Is(*errmap_test.valueError "*errmap_test.valueError, which panics when it is printed"): the error is a nil of its type, which matches nothing`},
		{"a nil function", []errmap.Rule{errmap.As[valueError](nil)}, `errmap: Rules[0], As[errmap_test.valueError]: the function is nil`},
		{"no status", []errmap.Rule{is(valueError{1}, 0)}, `errmap: Rules[0], Is(errmap_test.valueError "value 1"): Status 0 is not within 400 and 599`},
		{"a success", []errmap.Rule{is(valueError{1}, 200)}, `errmap: Rules[0], Is(errmap_test.valueError "value 1"): Status 200 is not within 400 and 599`},
		{"past the end", []errmap.Rule{is(valueError{1}, 600)}, `errmap: Rules[0], Is(errmap_test.valueError "value 1"): Status 600 is not within 400 and 599`},
		{"not comparable", []errmap.Rule{is(sliceError{"a"}, 404)}, `errmap: Rules[0], Is(errmap_test.sliceError "slice [a]"): the error can neither be compared nor has it an Is method`},
		{"the same error", []errmap.Rule{is(valueError{1}, 400), ok, is(valueError{1}, 404)}, `errmap: Rules[2], Is(errmap_test.valueError "value 1"), can never fire: the same error is in Rules[0], Is(errmap_test.valueError "value 1")`},
		{"the same type", []errmap.Rule{as[valueError](400), as[valueError](404)}, `errmap: Rules[1], As[errmap_test.valueError], can never fire: the same type is in Rules[0], As[errmap_test.valueError]`},
		{"behind its interface", []errmap.Rule{as[quota](400), as[*quotaError](404)}, `errmap: Rules[1], As[*errmap_test.quotaError], can never fire: the type implements that of Rules[0], As[errmap_test.quota]`},
		{"behind a catch-all", []errmap.Rule{as[error](400), is(valueError{1}, 404)}, `errmap: Rules[1], Is(errmap_test.valueError "value 1"), can never fire: every error matches Rules[0], As[error]`},
		{"all at once", []errmap.Rule{is(valueError{1}, 99), ok, errmap.As[valueError](nil), {}}, `errmap: Rules[0], Is(errmap_test.valueError "value 1"): Status 99 is not within 400 and 599; ` +
			`Rules[2], As[errmap_test.valueError]: the function is nil; Rules[3], Rule{}: the error is nil`},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			assert.PanicsWithValue(t, tt.want, func() { mapper(tt.rules...) })
		})
	}
}

func TestRulesAreCopied(t *testing.T) {
	list := []errmap.Rule{is(errNotFound, 404)}
	m := mapper(list...)
	list[0] = is(errNotFound, 410)
	assert.Equal(t, 404, m.Problem(get(), errNotFound).Status)
}

func TestStatusFromAFunction(t *testing.T) {
	for _, status := range []int{0, 99, 200, 304, 399, 600, -1} {
		s := newSpy()
		rec := serve(s.wrap(mapper(as[valueError](status)).Handler(fails(valueError{1}))), get())
		assert.Equal(t, 500, rec.Code)
		e := <-s.ended
		assert.ErrorContains(t, e.Cause, fmt.Sprintf("As[errmap_test.valueError] returned status %d", status))
		assert.ErrorIs(t, e.Cause, valueError{1})

		rec = serve(s.wrap(mapper().Handler(fails(&errmap.Problem{Status: status, Detail: "d"}))), get())
		assert.Equal(t, http.StatusInternalServerError, rec.Code)
		assert.NotContains(t, rec.Body.String(), "detail")
		e = <-s.ended
		assert.ErrorContains(t, e.Cause, fmt.Sprintf(`the built-in "problem" returned status %d`, status))
	}
}

func TestExplain(t *testing.T) {
	m := mapper(is(errNotFound, 404), as[*pointerError](409), as[quota](200))
	for _, tt := range []struct {
		desc string
		err  error
		want string
	}{
		{"nil", nil, "no error: Handler writes nothing, Write sends 500 Internal Server Error"},
		{"nothing", errors.New("x"), `no rule matches *errors.errorString "x": 500 Internal Server Error`},
		{"identity", fmt.Errorf("x: %w", errNotFound), `rule 1 of 3, Is(*errors.errorString "store: user not found in shard 7"), fires: ` +
			`*errors.errorString "store: user not found in shard 7" is the *errors.errorString "store: user not found in shard 7": 404 Not Found`},
		{"type", errors.Join(&pointerError{"1"}), `rule 2 of 3, As[*errmap_test.pointerError], fires: *errmap_test.pointerError "pointer 1" is a *errmap_test.pointerError: 409 Conflict`},
		{"a bad status", &quotaError{}, `rule 3 of 3, As[errmap_test.quota], fires: *errmap_test.quotaError "pointer " is a errmap_test.quota: 500 Internal Server Error, because errmap: As[errmap_test.quota] returned status 200`},
		{"built in", os.ErrDeadlineExceeded, `the built-in "i/o deadline" fires: *poll.DeadlineExceededError "i/o timeout" is the *poll.DeadlineExceededError "i/o timeout": 504 Gateway Timeout`},
		{"an Is method", isError{[]error{errNotFound}}, `rule 1 of 3, Is(*errors.errorString "store: user not found in shard 7"), fires: errmap_test.isError "is" says by its Is method that it is the *errors.errorString "store: user not found in shard 7": 404 Not Found`},
		{"an As method", asError{&pointerError{"2"}}, `rule 2 of 3, As[*errmap_test.pointerError], fires: *errmap_test.pointerError "pointer 2" came from an As method and is a *errmap_test.pointerError: 409 Conflict`},
		{"a typed nil", (*pointerError)(nil), "errmap: a nil *errmap_test.pointerError was returned as an error: *errmap_test.pointerError, which panics when it is printed: 500 Internal Server Error"},
	} {
		t.Run(tt.desc, func(t *testing.T) { assert.Equal(t, tt.want, m.Explain(tt.err)) })
	}
	assert.Contains(t, m.Explain(fmt.Errorf("x: %w", http.ErrAbortHandler)), "no rule")
}
