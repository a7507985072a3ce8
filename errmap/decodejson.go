package errmap

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
)

// codeInvalidJSON is the Code of DecodeJSON's 400.
const codeInvalidJSON = "invalid_json"

// DecodeJSON decodes the body of r, which must be one JSON value, into v, as
// json.Unmarshal does. If the request is wrong, it returns a *[Problem] for the
// client, with the error of encoding/json as its cause:
//
//   - 415 if the Content-Type is neither application/json nor ends in +json, or if
//     its charset is not UTF-8
//   - 400 with the Code "invalid_json" if the body is empty, truncated or not JSON,
//     if it has more than one value, or if a value does not fit v. Fields has one
//     element, with the reason and, if the place is known, a JSON pointer to the
//     value. The reason does not name Go types.
//
// If reading the body fails, DecodeJSON wraps the error, and a Mapper finds it: an
// *http.MaxBytesError is 413, a deadline 504 or 408, and a malformed transfer
// coding 400.
//
// DecodeJSON reads the whole body before it decodes it. Use package limits or
// http.MaxBytesReader to bound its size.
//
// Members that v does not have are ignored. If v is not a pointer, the error maps
// to 500, because that is a mistake in the handler.
func DecodeJSON(r *http.Request, v any) error {
	media := r.Header.Values("Content-Type")
	if len(media) > 0 && !isJSON(media) {
		return unsupportedMediaType()
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return fmt.Errorf("errmap: reading the body: %w", err)
		}
	}
	switch {
	case len(bytes.TrimLeft(body, " \t\r\n")) == 0:
		return invalidJSON("", "The body is empty.", io.EOF)
	case len(media) == 0:
		return unsupportedMediaType()
	}
	err := json.Unmarshal(body, v)
	var noPointer *json.InvalidUnmarshalError
	if err == nil || errors.As(err, &noPointer) {
		return err
	}
	return explainJSON(body, err)
}

// isJSON reports whether the Content-Type is a JSON media type.
func isJSON(values []string) bool {
	media, params, err := mime.ParseMediaType(values[0])
	if err != nil || len(values) > 1 || media != typeJSON && !strings.HasSuffix(media, "+json") {
		return false
	}
	charset, ok := params["charset"]
	return !ok || strings.EqualFold(charset, "utf-8")
}

func unsupportedMediaType() error {
	return &Problem{
		Status: http.StatusUnsupportedMediaType,
		Detail: "The Content-Type must be application/json.",
		Header: http.Header{"Accept": {typeJSON}}, // RFC 9110 section 15.5.16
	}
}

// explainJSON returns a Problem for err, which json.Unmarshal returned for body.
func explainJSON(body []byte, err error) error {
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		reason := whatIsWrong(mistyped)
		if pointer, ok := pointerTo(body, mistyped); ok {
			return invalidJSON(pointer, reason, err)
		}
		return invalidJSON("", "A value "+reason+".", err)
	}
	pointer, what := syntax(body)
	switch what {
	case truncated:
		return invalidJSON(pointer, "The body ends before the JSON does.", err)
	case trailing:
		return invalidJSON("", "The body has more than one JSON value.", err)
	case malformed:
		return invalidJSON(pointer, "is not valid JSON", err)
	default: // the error of an UnmarshalJSON or UnmarshalText method
		return invalidJSON("", "A value is not one that is accepted here.", err)
	}
}

// invalidJSON returns the Problem for a body. A reason that ends in a period is a
// full sentence about the whole body.
func invalidJSON(pointer, reason string, err error) error {
	p := invalidAt(pointer, reason)
	p.Code = codeInvalidJSON
	return p.Because(err)
}

// invalidAt returns a 400 about the value at pointer.
func invalidAt(pointer, reason string) Problem {
	if len(pointer) > maxPointer {
		pointer = ""
	}
	p := Problem{Status: http.StatusBadRequest, Detail: reason, Fields: []FieldError{{Pointer: pointer, Detail: reason}}}
	switch {
	case strings.HasSuffix(reason, "."):
	case pointer == "":
		p.Detail = "The body " + reason + "."
	default:
		p.Detail = "The value at " + pointer + " " + reason + "."
	}
	return p
}

// maxPointer bounds the length of a pointer, because it consists of what the client
// sent.
const maxPointer = 256

// whatIsWrong describes the mismatch in terms of JSON types.
func whatIsWrong(e *json.UnmarshalTypeError) string {
	kind, _, _ := strings.Cut(e.Value, " ")
	want, got := kindName(e.Type), article(kind)
	switch {
	case kind == "number" && (want == "an integer" || want == "a number"):
		return "has the wrong type: it must be " + want + " within the range of values"
	case want == got: // the type is right, but not the value
		return "is not a value that is accepted here"
	default:
		return "has the wrong type: it must be " + want + ", not " + got
	}
}

func article(what string) string {
	switch what {
	case "":
		return "this"
	case "object", "array":
		return "an " + what
	default:
		return "a " + what
	}
}

func kindName(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
		return "another type"
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "a string"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return "an integer"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return "a string"
		}
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "another type"
	}
}
