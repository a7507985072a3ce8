package errmap

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// path follows a json.Decoder through a document.
type path struct{ steps []step }

// step is an object or an array that is being read.
type step struct {
	object bool
	key    bool // the next token of an object is a name
	name   string
	index  int
}

// advance takes one token, and reports whether a value begins with it.
func (p *path) advance(t json.Token) (value bool) {
	if d, ok := t.(json.Delim); ok && (d == '}' || d == ']') {
		p.steps = p.steps[:len(p.steps)-1]
		p.next()
		return false
	}
	if n := len(p.steps); n > 0 && p.steps[n-1].key {
		p.steps[n-1].name, _ = t.(string)
		p.steps[n-1].key = false
		return false
	}
	return true
}

// enter is called after the first token of a value.
func (p *path) enter(t json.Token) {
	switch t {
	case json.Delim('{'):
		p.steps = append(p.steps, step{object: true, key: true})
	case json.Delim('['):
		p.steps = append(p.steps, step{})
	default:
		p.next()
	}
}

// next is called at the end of a value.
func (p *path) next() {
	if n := len(p.steps); n > 0 {
		p.steps[n-1].key = p.steps[n-1].object
		p.steps[n-1].index++
	}
}

// pointer returns the JSON pointer (RFC 6901) to the current value, or else to the
// next one.
func (p *path) pointer() string {
	var b strings.Builder
	for _, s := range p.steps {
		b.WriteByte('/')
		switch {
		case !s.object:
			b.WriteString(strconv.Itoa(s.index))
		case s.key: // between two members: return the object
			return b.String()[:b.Len()-1]
		default:
			b.WriteString(escapeStep(s.name))
		}
		if b.Len() > maxPointer {
			break
		}
	}
	return b.String()
}

// pointerTo returns a pointer to the value that e is about. e.Offset is the end of
// a scalar, or the end of the first byte of an object or array. If there is no such
// value, ok is false: e comes from an UnmarshalJSON method that called
// encoding/json itself, and e.Offset counts from the beginning of that method's
// input.
func pointerTo(body []byte, e *json.UnmarshalTypeError) (pointer string, ok bool) {
	kind, _, _ := strings.Cut(e.Value, " ")
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var p path
	for {
		t, err := dec.Token()
		if err != nil {
			return "", false
		}
		if !p.advance(t) {
			continue
		}
		if dec.InputOffset() >= e.Offset {
			return p.pointer(), dec.InputOffset() == e.Offset && kindOf(t) == kind && p.fits(e.Field)
		}
		p.enter(t)
	}
}

// fits reports whether the path may be the one that encoding/json calls field: at
// least one member of the path is also in field. The two can differ: field has no
// map keys and indexes, and the path has no embedded structs.
func (p *path) fits(field string) bool {
	named := false
	for _, s := range p.steps {
		if s.object {
			if named = true; strings.Contains("."+strings.ToLower(field)+".", "."+strings.ToLower(escapeStep(s.name))+".") {
				return true
			}
		}
	}
	return !named || field == ""
}

// escapeStep escapes a name for a JSON pointer (RFC 6901 section 3).
func escapeStep(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// kindOf returns encoding/json's name for the kind of a token.
func kindOf(t json.Token) string {
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return "object"
		}
		return "array"
	case string:
		return "string"
	case json.Number:
		return "number"
	case bool:
		return "bool"
	default:
		return "null"
	}
}

// defect is what is wrong with a document.
type defect uint8

const (
	none defect = iota
	truncated
	trailing
	malformed
)

// syntax returns what is wrong with body as JSON, and a pointer to the value around
// it.
func syntax(body []byte) (pointer string, what defect) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var p path
	for ended := false; ; {
		t, err := dec.Token()
		switch {
		case ended && err == io.EOF:
			return "", none
		case ended:
			return "", trailing
		case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
			return p.pointer(), truncated
		case err != nil:
			return p.pointer(), malformed
		}
		if p.advance(t) {
			p.enter(t)
		}
		ended = len(p.steps) == 0
	}
}
