package validation_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/docs/recipes/validation"
	"github.com/bulwark-go/bulwark/errmap"
)

type Order struct {
	Email string `json:"email" validate:"required,email"`
	Items []Item `json:"items" validate:"min=1,max=100,dive"`
}

type Item struct {
	Name  string `json:"name"  validate:"required"`
	Count int    `json:"count" validate:"min=1,max=10"`
}

func Example() {
	validate := validation.New()
	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{validation.Rule()}})
	h := errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		var o Order
		if err := errmap.DecodeJSON(r, &o); err != nil {
			return err
		}
		if err := validate.Struct(o); err != nil {
			return fmt.Errorf("new order: %w", err)
		}
		w.WriteHeader(http.StatusCreated)
		return nil
	})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/orders", strings.NewReader(
		`{"email":"ada@example.org","items":[{"count":1},{"name":"tea","count":99}]}`))
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(w, r)
	var doc struct {
		Detail string
		Errors []errmap.FieldError
	}
	_ = json.Unmarshal(w.Body.Bytes(), &doc)
	fmt.Println(w.Code, doc.Detail)
	for _, e := range doc.Errors {
		fmt.Println(e.Pointer, e.Detail)
	}
	// Output:
	// 422 invalid input
	// /items/0/name is required
	// /items/1/count must be at most 10
}

type Base struct {
	ID string `json:"id" validate:"required"`
}

type Page[T any] struct {
	Rows []T `json:"rows" validate:"dive"`
}

// fields validates v and returns the fields of the response.
func fields(t *testing.T, v any) []errmap.FieldError {
	t.Helper()
	validate := validation.New()
	validate.RegisterStructValidation(func(sl validator.StructLevel) {
		sl.ReportError("", "total", "Total", "sum", "")
	}, Summed{})
	err := validate.Struct(v)
	assert.Error(t, err)
	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{validation.Rule()}})
	return errs.Problem(httptest.NewRequest(http.MethodGet, "/", nil), err).Fields
}

type Summed struct{}

func TestFields(t *testing.T) {
	one := func(pointer, detail string) []errmap.FieldError {
		return []errmap.FieldError{{Pointer: pointer, Detail: detail}}
	}
	for _, tc := range []struct {
		desc string
		v    any
		want []errmap.FieldError
	}{
		{"several", Order{}, []errmap.FieldError{
			{Pointer: "/email", Detail: "is required"}, {Pointer: "/items", Detail: "number of entries must be at least 1"},
		}},
		{"without a tag the name is Go's", struct {
			Name string `validate:"required"`
		}{}, one("/Name", "is required")},
		{"options of the tag", struct {
			A string `json:"a,omitempty" validate:"required"`
			B string `json:",omitempty"  validate:"required"`
		}{}, []errmap.FieldError{{Pointer: "/a", Detail: "is required"}, {Pointer: "/B", Detail: "is required"}}},
		{"a field that is no part of the body", struct {
			In struct {
				X string `json:"-" validate:"required"`
			} `json:"in"`
		}{}, one("/in", "is required")},
		{"nested", struct {
			A struct {
				B *Item `json:"b" validate:"required"`
			} `json:"a"`
		}{}, one("/a/b", "is required")},
		{"slices of slices", struct {
			M [][]int `json:"m" validate:"dive,dive,max=9"`
		}{[][]int{{1}, {2, 10}}}, one("/m/1/1", "must be at most 9")},
		{"embedded", struct {
			Base
			*Item
			Named Base `json:"named"`
		}{Base{""}, &Item{"tea", 0}, Base{""}}, []errmap.FieldError{
			{Pointer: "/id", Detail: "is required"}, {Pointer: "/count", Detail: "must be at least 1"}, {Pointer: "/named/id", Detail: "is required"},
		}},
		{"generic", Page[Page[Base]]{[]Page[Base]{{[]Base{{"1"}, {""}}}}}, one("/rows/0/rows/1/id", "is required")},
		{"escaping", struct {
			A string `json:"a/b~c"    validate:"required"`
			B string `json:"~1"       validate:"required"`
			C []int  `json:"x.y[0].z" validate:"dive,max=1"`
			D Base   `json:"d."`
		}{C: []int{2}}, []errmap.FieldError{
			{Pointer: "/a~1b~0c", Detail: "is required"},
			{Pointer: "/~01", Detail: "is required"},
			{Pointer: "/x.y[0].z/0", Detail: "must be at most 1"},
			{Pointer: "/d./id", Detail: "is required"},
		}},
		{"a map", struct {
			M map[string]Base `json:"m" validate:"dive"`
		}{map[string]Base{"a/~.[b\n]c": {}}}, one("/m/a~1~0.[b\n]c/id", "is required")},
		{"a map's empty key", struct {
			M map[string]int `json:"m" validate:"dive,min=1"`
		}{map[string]int{"": 0}}, one("/m/", "must be at least 1")},
		{"reported by hand", struct {
			S Summed `json:"s"`
		}{}, one("/s/total", "is not valid")},
		{"a text's length", struct {
			S string `json:"s" validate:"max=2"`
		}{"abc"}, one("/s", "length must be at most 2")},
		{"one of", struct {
			S string `json:"s" validate:"oneof=red green"`
		}{"abc"}, one("/s", "must be one of red, green")},
		{"the name of a field in Go stays inside", struct {
			Password string `json:"pw"`
			Again    string `json:"again" validate:"eqfield=Password"`
		}{"a", "b"}, one("/again", "is not valid")},
		{"without a text of its own", struct {
			S string `json:"s" validate:"hexcolor"`
		}{"abc"}, one("/s", "is not valid")},
	} {
		t.Run(tc.desc, func(t *testing.T) { assert.Equal(t, tc.want, fields(t, tc.v)) })
	}
}

// A key from the client may be anything, and long. Every step takes a part of it, so the
// search ends.
func TestHostileKey(t *testing.T) {
	type body struct {
		M map[string]int `json:"m" validate:"dive,min=1"`
	}
	for _, key := range []string{"", "[", "]", ".", "/", "./", "].", "][", "].[", "].a.", "\xff", "~", "\n"} {
		for _, times := range []int{1, 1 << 12} {
			assert.Len(t, fields(t, body{map[string]int{"]." + strings.Repeat(key, times): 0}}), 1, "%q", key)
			assert.Len(t, fields(t, body{map[string]int{strings.Repeat(key, times): 0}}), 1, "%q", key)
		}
	}
}

// A response is not many times as long as the request.
func TestManyFields(t *testing.T) {
	got := fields(t, struct {
		N []int `json:"n" validate:"dive,min=1"`
	}{make([]int, 1000)})
	assert.Len(t, got, 100)
	assert.Equal(t, "/n/99", got[99].Pointer)
}

// An error that is not the fault of the input is not sent to the client.
func TestNotAStruct(t *testing.T) {
	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{validation.Rule()}})
	err := validation.New().Struct(nil)
	assert.ErrorAs(t, err, new(*validator.InvalidValidationError))
	assert.Equal(t, http.StatusInternalServerError, errs.Problem(httptest.NewRequest(http.MethodGet, "/", nil), err).Status)
}
