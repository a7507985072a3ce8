package errmap_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/errmap"
)

// Errors for which errors.Is panics or does not return.
type (
	cycle      struct{ next error }
	bush       struct{ next []error }
	panicsIn   struct{ what string }
	cyclicText struct{ err error }
)

func (*cycle) Error() string   { return "cycle" }
func (c *cycle) Unwrap() error { return c.next }

func (*bush) Error() string     { return "bush" }
func (b *bush) Unwrap() []error { return b.next }

// cyclicText overflows the stack when it is printed.
func (c *cyclicText) Error() string { return "x" + c.err.Error() }
func (c *cyclicText) Unwrap() error { return c.err }

func (p panicsIn) boom(what string) {
	if p.what == what {
		panic("boom in " + what)
	}
}
func (p panicsIn) Error() string   { p.boom("Error"); return "hostile" }
func (p panicsIn) Is(error) bool   { p.boom("Is"); return false }
func (p panicsIn) As(any) bool     { p.boom("As"); return false }
func (p panicsIn) Unwrap() error   { p.boom("Unwrap"); return nil }
func (p panicsIn) StatusCode() int { p.boom("StatusCode"); return 418 }

func hostile() map[string]struct {
	err  error
	want string
} {
	c := &cycle{}
	c.next = c
	b := &bush{}
	b.next = []error{errNotFound, b, b}
	ct := &cyclicText{}
	ct.err = ct
	type row = struct {
		err  error
		want string
	}
	return map[string]row{
		"a cycle":            {c, "has a cycle or no end: *errmap_test.cycle"},
		"a branching cycle":  {b, "has a cycle or no end"},
		"a cycle in print":   {ct, "has a cycle or no end"},
		"a panic in Is":      {panicsIn{"Is"}, "boom in Is: hostile"},
		"a panic in As":      {panicsIn{"As"}, "boom in As: hostile"},
		"a panic in Unwrap":  {panicsIn{"Unwrap"}, "boom in Unwrap: hostile"},
		"a panicking status": {panicsIn{"StatusCode"}, "boom in StatusCode"},
		"a typed nil":        {(*pointerError)(nil), "a nil *errmap_test.pointerError was returned"},
		"a wrapped one":      {fmt.Errorf("x: %w", (*pointerError)(nil)), "a nil *errmap_test.pointerError was returned"},
		"a joined one":       {errors.Join(errSecret, (*pointerError)(nil)), "a nil *errmap_test.pointerError was returned"},
		"a nil slice":        {sliceError(nil), "a nil errmap_test.sliceError was returned"},
		"a nil problem":      {(*errmap.Problem)(nil), "a nil *errmap.Problem was returned"},
	}
}

// A validation error that joins an error for each row of an upload is not a cycle.
func TestLargeTreesAreMapped(t *testing.T) {
	flat := make([]error, 12_000)
	nested, deep := errNotFound, errNotFound
	for i := range flat {
		flat[i] = fmt.Errorf("row %d: %w", i, errNotFound)
		nested = &bush{[]error{nested, errSecret}}
		deep = &cycle{deep}
	}
	m := mapper(is(errNotFound, 404), is(errConflict, 409))
	for desc, err := range map[string]error{
		"joined at once":               errors.Join(flat...),
		"joined one by one":            nested,
		"wrapped":                      deep,
		"of one rule, then of another": errors.Join(slices.Concat(slices.Repeat([]error{errConflict}, 12_000), flat[:1])...),
	} {
		t.Run(desc, func(t *testing.T) {
			s := newSpy()
			rec := serve(s.wrap(m.Handler(fails(err))), get())
			assert.Equal(t, 404, rec.Code)
			e := <-s.ended
			assert.ErrorIs(t, e.Cause, errNotFound)
		})
	}
}

// Reported elsewhere: typed nils panic, https://github.com/gofiber/fiber/issues/4352
func TestHostileTrees(t *testing.T) {
	m := mapper(is(errNotFound, 404), as[*pointerError](409), as[quota](429), as[valueError](400))
	for desc, tt := range hostile() {
		t.Run(desc, func(t *testing.T) {
			s := newSpy()
			rec := serve(s.wrap(m.Handler(fails(tt.err))), get())
			assert.Equal(t, 500, rec.Code)
			assert.NotContains(t, rec.Body.String(), "boom")
			e := <-s.ended
			assert.Contains(t, e.Cause.Error(), tt.want)
			assert.NotEmpty(t, m.Explain(tt.err))

			serve(s.wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				m.Note(r, errConflict)
				m.Note(r, tt.err)
				m.Note(r, tt.err)
			})), get())
			if desc != "a panicking status" { // the log record does not need it
				e = <-s.ended
				assert.Contains(t, e.Cause.Error(), tt.want)
			}
		})
	}
}

// The response does not depend on the Error method, which may panic.
func TestErrorMethodPanics(t *testing.T) {
	rec := serve(mapper().Handler(fails(panicsIn{"Error"})), get())
	assert.Equal(t, 418, rec.Code)
	rec = serve(mapper().Handler(fails(fmt.Errorf("x: %w", struct{ explosiveText }{}))), get())
	assert.Equal(t, 500, rec.Code)
}

type explosiveText struct{}

func (explosiveText) Error() string { panic("boom") }

func TestTypedNilBesideAValidError(t *testing.T) {
	m := mapper(is(errNotFound, 404), as[*pointerError](409))
	s := newSpy()
	rec := serve(s.wrap(m.Handler(fails(errors.Join((*pointerError)(nil), errNotFound)))), get())
	assert.Equal(t, 404, rec.Code)
	e := <-s.ended
	assert.Contains(t, e.Cause.Error(), "a nil *errmap_test.pointerError")
}

func TestRuleThatPanics(t *testing.T) {
	s := newSpy()
	m := mapper(errmap.As(func(valueError) errmap.Problem { panic(errConflict) }))
	rec := serve(s.wrap(m.Handler(fails(valueError{1}))), get())
	assert.Equal(t, 500, rec.Code)
	assert.NotContains(t, rec.Body.String(), "conflict")
	e := <-s.ended
	assert.ErrorContains(t, e.Cause, "As[errmap_test.valueError] panicked: store: version conflict")
	assert.ErrorIs(t, e.Cause, valueError{1})
	assert.Equal(t, any(errConflict), e.Panic)
	assert.Contains(t, string(e.Stack), "TestRuleThatPanics")
	assert.Contains(t, m.Explain(valueError{1}), "panicked: store: version conflict")

	abort := mapper(errmap.As(func(valueError) errmap.Problem { panic(http.ErrAbortHandler) }))
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { serve(abort.Handler(fails(valueError{1})), get()) })
}

func TestRenderThatFails(t *testing.T) {
	for desc, render := range map[string]func(http.ResponseWriter, *http.Request, errmap.Problem){
		"panics": func(http.ResponseWriter, *http.Request, errmap.Problem) { panic("boom") },
		"writes nothing": func(w http.ResponseWriter, _ *http.Request, _ errmap.Problem) {
			w.Header().Set("Content-Type", "text/html")
		},
	} {
		t.Run(desc, func(t *testing.T) {
			s := newSpy()
			m := errmap.New(errmap.Config{Rules: []errmap.Rule{is(errNotFound, 404)}, Render: render})
			rec := serve(s.wrap(m.Handler(fails(errNotFound))), get())
			assert.Equal(t, 404, rec.Code)
			assert.Equal(t, "Not Found\n", rec.Body.String())
			assert.Equal(t, "text/plain; charset=utf-8", rec.Header().Get("Content-Type"))
			<-s.ended
			rec = serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.Write(w, r, errNotFound) }), get())
			assert.Equal(t, 404, rec.Code)
		})
	}
	abort := errmap.New(errmap.Config{Render: func(http.ResponseWriter, *http.Request, errmap.Problem) { panic(http.ErrAbortHandler) }})
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { serve(abort.Handler(fails(errSecret)), get()) })
}

func TestWriteOfNil(t *testing.T) {
	rec := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mapper().Write(w, r, nil) }), get())
	assert.Equal(t, 500, rec.Code)
	assert.Equal(t, 200, serve(mapper().Handler(fails(nil)), get()).Code)
}
