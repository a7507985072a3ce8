package errtree_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/errtree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	// one and many are wrappers of any shape.
	one  struct{ next error }
	many struct{ next []error }
	// list is an error that cannot be compared.
	list []error
	// spring makes another one at every Unwrap.
	spring int
	// fountain makes two.
	fountain int
	// echo prints what it wraps, so that a cycle overflows the stack.
	echo struct{ next error }
	// panics is an error whose named method panics.
	panics string
)

func (*one) Error() string   { return "one" }
func (o *one) Unwrap() error { return o.next }

func (*many) Error() string     { return "many" }
func (m *many) Unwrap() []error { return m.next }

func (list) Error() string     { return "list" }
func (l list) Unwrap() []error { return l }

func (spring) Error() string   { return "spring" }
func (s spring) Unwrap() error { return s + 1 }

func (fountain) Error() string     { return "fountain" }
func (f fountain) Unwrap() []error { return []error{f * 2, f*2 + 1} }

func (e *echo) Error() string { return "echo of " + e.next.Error() }
func (e *echo) Unwrap() error { return e.next }

func (p panics) do(method string) {
	if string(p) == method {
		panic("boom in " + method)
	}
}
func (p panics) Error() string  { p.do("Error"); return "panics" }
func (p panics) String() string { return "never asked" }
func (p panics) Unwrap() error  { p.do("Unwrap"); return nil }

var (
	errA = errors.New("a")
	errB = errors.New("b")
	errC = errors.New("c")
)

// visited walks the tree of err and returns the texts of the visited errors.
func visited(err error) ([]string, error) {
	var texts []string
	failure := errtree.Walk(err, func(e error) bool {
		texts = append(texts, e.Error())
		return true
	})
	return texts, failure
}

func TestWalkVisitsInTheOrderOfErrorsIs(t *testing.T) {
	for _, tt := range []struct {
		desc string
		err  error
		want []string
	}{
		{"nil", nil, nil},
		{"one error", errA, []string{"a"}},
		{"a chain", &one{&one{errA}}, []string{"one", "one", "a"}},
		{"a chain that ends in nil", &one{&one{nil}}, []string{"one", "one"}},
		{"a list", list{errA, errB}, []string{"list", "a", "b"}},
		{"nils in a list", list{nil, errA, nil}, []string{"list", "a"}},
		{"an empty list", list{}, []string{"list"}},
		{"depth first", list{&one{list{errA, errB}}, errC}, []string{"list", "one", "list", "a", "b", "c"}},
		{"the same error twice", list{errA, errA}, []string{"list", "a", "a"}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			got, err := visited(tt.err)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestWalkStops(t *testing.T) {
	n := 0
	require.NoError(t, errtree.Walk(list{errA, list{errB, errC}}, func(e error) bool {
		n++
		return e != errB //nolint:errorlint // identity
	}))
	assert.Equal(t, 4, n)
}

// A list is in memory and therefore finite, and so is a chain built by repeated calls of
// errors.Join.
func TestLargeTreesAreNotCycles(t *testing.T) {
	flat := slices.Repeat([]error{errA}, 1_000_000)
	var wrapped, distinct []error
	for i := range 100_000 {
		wrapped = append(wrapped, &one{errA})
		distinct = append(distinct, fmt.Errorf("%d", i))
	}
	deep, nest := errA, errA
	for range 100_000 {
		deep = &one{deep}
		nest = &many{[]error{nest, errB}}
	}
	twice := errA
	for range 5_000 {
		twice = &many{[]error{twice, twice, twice}} // 3^5000 paths
	}
	mixed := error(list{errA})
	for range 20_000 {
		mixed = list{&one{mixed}}
	}
	for _, tt := range []struct {
		desc string
		err  error
	}{
		{"a list of the same", list(flat)},
		{"a list of different ones", list(distinct)},
		{"a list of wrapped ones", list(wrapped)},
		{"a chain", deep},
		{"lists in lists", nest},
		{"many paths to the same", twice},
		{"what cannot be compared", mixed},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			require.NoError(t, errtree.Walk(list{tt.err, errC}, func(error) bool { return true }))
			assert.True(t, errtree.Contains(list{tt.err, errC}, errC), "the last error")
		})
	}
}

func TestEndlessTrees(t *testing.T) {
	self := &one{}
	self.next = self
	ring := &one{}
	ring.next = &one{&many{[]error{errA, &one{ring}}}}
	branching := &many{}
	branching.next = []error{errA, branching, branching}
	late := &many{}
	tail := error(late)
	for range 1_000 {
		tail = &one{tail}
	}
	late.next = append(slices.Repeat([]error{error(&one{errA})}, 1_000), tail)
	slice := list{errA, nil, nil}
	slice[1], slice[2] = slice, slice
	for _, tt := range []struct {
		desc string
		err  error
	}{
		{"itself", self},
		{"a ring", ring},
		{"a branching cycle", branching},
		{"a cycle behind a large list", late},
		{"a slice that holds itself", slice},
		{"made by Unwrap", spring(0)},
		{"made by Unwrap, two at a time", fountain(1)},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			assert.Equal(t, errtree.ErrEndless, errtree.Walk(list{errB, tt.err}, func(error) bool { return true }))
			assert.True(t, errtree.Contains(list{errB, tt.err}, errB), "what comes before the cycle is found")
			assert.False(t, errtree.Contains(tt.err, errC))
			assert.Contains(t, errtree.Text(tt.err), "has a cycle or no end")
		})
	}
}

func TestMethodsThatPanic(t *testing.T) {
	var p *errtree.PanicError
	_, err := visited(list{errA, panics("Unwrap"), errB})
	require.ErrorAs(t, err, &p)
	assert.Equal(t, "boom in Unwrap", p.Value)
	assert.Equal(t, "a method of the error panicked: boom in Unwrap", p.Error())

	err = errtree.Walk(errA, func(error) bool { panic(errB) })
	require.ErrorAs(t, err, &p)
	assert.Equal(t, any(errB), p.Value)
	assert.Equal(t, "a method of the error panicked: b", p.Error())

	assert.True(t, errtree.Contains(list{errA, panics("Unwrap"), errB}, errA))
	assert.False(t, errtree.Contains(list{errA, panics("Unwrap"), errB}, errC))
}

func TestTypedNils(t *testing.T) {
	var nilOne *one
	var nilList list
	got, err := visited(list{nilOne, nilList, errA})
	require.NoError(t, err, "a nil is not unwrapped")
	assert.Equal(t, []string{"list", "one", "list", "a"}, got)

	for _, tt := range []struct {
		desc string
		err  error
		want bool
	}{
		{"nil", nil, true},
		{"a nil pointer", nilOne, true},
		{"a nil slice", nilList, true},
		{"an empty slice", list{}, false},
		{"a pointer", &one{}, false},
		{"a number", spring(0), false},
		{"a struct", context.DeadlineExceeded, false},
	} {
		t.Run(tt.desc, func(t *testing.T) { assert.Equal(t, tt.want, errtree.IsNil(tt.err)) })
	}
}

func TestContainsComparesOnly(t *testing.T) {
	assert.True(t, errtree.Contains(fmt.Errorf("x: %w", errA), errA))
	assert.False(t, errtree.Contains(fmt.Errorf("x: %w", errA), errB))
	assert.False(t, errtree.Contains(nil, errA))
	assert.False(t, errtree.Contains(errA, nil))
	assert.False(t, errtree.Contains(context.DeadlineExceeded, errors.New("context deadline exceeded")))
	assert.False(t, errtree.Contains(list{errA}, list{errA}), "types that cannot be compared")
	assert.True(t, errtree.Contains(list{list{}, errA}, errA))
	assert.True(t, errtree.Same(spring(3), spring(3)))
	assert.False(t, errtree.Same(list{}, list{}))
}

func TestText(t *testing.T) {
	ring := &echo{}
	ring.next = &echo{ring}
	cycle := map[string]any{}
	cycle["self"] = cycle
	for _, tt := range []struct {
		desc string
		v    any
		want string
	}{
		{"an error", fmt.Errorf("x: %w", errA), "x: a"},
		{"an Error method that panics", panics("Error"), "errtree_test.panics, which panics when it is printed"},
		{"an Unwrap method that panics", panics("Unwrap"), "panics"},
		{"a nil pointer", (*echo)(nil), "*errtree_test.echo, which panics when it is printed"},
		{"a text that has no end", ring, "*errtree_test.echo: the tree of the error has a cycle or no end"},
		{"a string", "boom", "boom"},
		{"a number", 7, "7"},
		{"nil", nil, "<nil>"},
		{"a string of another type", name("7"), "7"},
		{"a cycle", cycle, "a map[string]interface {}"},
		{"a request", &http.Request{Header: http.Header{"Authorization": {"secret"}}}, "a *http.Request"},
		{"a String method", stringer("s"), "said s"},
		{"a String method that panics", stringer(""), "errtree_test.stringer, which panics when it is printed"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			assert.Equal(t, tt.want, errtree.Printed(tt.v))
			if err, ok := tt.v.(error); ok {
				assert.Equal(t, tt.want, errtree.Text(err))
			}
		})
	}
	assert.Empty(t, errtree.Text(nil))
}

type stringer string

type name string

func (s stringer) String() string {
	if s == "" {
		panic("boom")
	}
	return "said " + string(s)
}

func TestWalkOfAChainAllocatesNothing(t *testing.T) {
	err := fmt.Errorf("a: %w", fmt.Errorf("b: %w", errA))
	n := testing.AllocsPerRun(100, func() {
		found := false
		_ = errtree.Walk(err, func(e error) bool {
			found = found || errtree.Same(e, errA)
			return !found
		})
		if !found || !errtree.Contains(err, errA) {
			t.Error("not found")
		}
	})
	assert.Zero(t, n)
}
