// Package validation tells clients which fields go-playground/validator refused.
// Copy it if you need it: errmap itself does not depend on a validator.
//
// Put max before each dive. validator reports every wrong element with its path, so
// without max a body of 1 MiB can have 700,000 errors, and take seconds and hundreds
// of MiB:
//
//	Items []Item `json:"items" validate:"min=1,max=100,dive"`
package validation

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/bulwark-go/bulwark/errmap"
)

// New returns a validator that uses the JSON names of fields in the form that
// [Rule] needs: after a slash, and escaped.
func New() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(jsonName)
	return v
}

// Rule maps validator's errors to a 422 that lists the invalid fields, at most 100 of
// them. Values are not sent back to the client. The JSON pointers are derived from validator's
// namespace. If a map key contains "][" or "].", the pointer is wrong, because the
// namespace does not show where the key ends.
func Rule() errmap.Rule {
	return errmap.As(func(errs validator.ValidationErrors) errmap.Problem {
		p := errmap.Problem{Status: http.StatusUnprocessableEntity, Detail: "invalid input"}
		for _, e := range errs[:min(len(errs), maxFields)] {
			p.Fields = append(p.Fields, errmap.FieldError{Pointer: pointer(e.Namespace()), Detail: detail(e)})
		}
		return p
	})
}

const maxFields = 100

var (
	escape = strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901 section 3
	hide   = strings.NewReplacer(".", "~2", "[", "~3") // what ends a name in a namespace
	show   = strings.NewReplacer("~2", ".", "~3", "[")
	root   = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\[.*?\])?\.`) // the type with its type arguments
	key    = regexp.MustCompile(`(?s)^\[(.*?)\](?:[.[]|$)`)
	name   = regexp.MustCompile(`^[/[]?([^.[]*)\.?`) // matches at least one byte of any input
)

// jsonName returns only a slash for a field that is not a step in JSON: an embedded
// struct, because its fields belong to the outer object, and a field that is left
// out.
func jsonName(f reflect.StructField) string {
	tag := f.Tag.Get("json")
	name, _, _ := strings.Cut(tag, ",")
	switch kind := f.Type.Kind(); {
	case tag == "-", name == "" && f.Anonymous && (kind == reflect.Struct || kind == reflect.Pointer):
		return "/"
	case name == "":
		name = f.Name
	}
	return "/" + hide.Replace(escape.Replace(name))
}

// pointer converts Order./items[0]./name to /items/0/name.
func pointer(namespace string) string {
	var p strings.Builder
	for rest := root.ReplaceAllString(namespace, ""); rest != ""; {
		if m := key.FindStringSubmatch(rest); m != nil {
			p.WriteString("/" + escape.Replace(m[1]))
			rest = strings.TrimPrefix(rest[len(m[1])+len("[]"):], ".")
			continue
		}
		m := name.FindStringSubmatch(rest)
		if m[1] != "" {
			p.WriteString("/" + show.Replace(m[1]))
		}
		rest = rest[len(m[0]):]
	}
	return p.String()
}

// detail describes the error for people, without Go's terms.
func detail(e validator.FieldError) string {
	const entries = "number of entries "
	what := map[reflect.Kind]string{reflect.String: "length ", reflect.Slice: entries, reflect.Map: entries}[e.Kind()]
	switch e.Tag() {
	case "required":
		return "is required"
	case "email":
		return "is not an e-mail address"
	case "min":
		return what + "must be at least " + e.Param()
	case "max":
		return what + "must be at most " + e.Param()
	case "oneof":
		return "must be one of " + strings.Join(strings.Fields(e.Param()), ", ")
	default:
		return "is not valid"
	}
}
