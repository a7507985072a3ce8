package errmap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bulwark-go/bulwark/internal/errtree"
)

// appendError appends the body of ErrorJSON.
func appendError(b []byte, p *Problem) []byte {
	b = append(b, `{"error":`...)
	b = appendMessage(b, p)
	if len(p.Fields) > 0 {
		b = append(b, `,"errors":`...)
		b = appendFields(b, p.Fields)
	}
	return append(b, '}')
}

// appendMessage appends the text of ErrorJSON.
func appendMessage(b []byte, p *Problem) []byte {
	switch {
	case p.Detail != "":
		return appendString(b, p.Detail)
	case p.Title != "":
		return appendString(b, p.Title)
	case isBuiltin(p):
		return appendString(b, p.Code)
	}
	from := len(b)
	b = appendString(b, statusText(p.Status))
	for i, c := range b[from:] {
		if 'A' <= c && c <= 'Z' {
			b[from+i] = c + ('a' - 'A')
		}
	}
	return b
}

// isBuiltin reports whether p is a built-in problem that has a Code.
func isBuiltin(p *Problem) bool {
	switch p.Status {
	case http.StatusInternalServerError:
		return p.Code == codeInternal
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return p.Code == codeTimeout
	default:
		return false
	}
}

// appendText appends the body as plain text.
func appendText(b []byte, p *Problem) []byte {
	line := p.Detail
	if line == "" {
		line = p.title()
	}
	b = append(append(b, strings.ToValidUTF8(line, "\uFFFD")...), '\n')
	for _, f := range p.Fields {
		b = append(b, strings.ToValidUTF8(f.Pointer+": "+f.Detail+"\n", "\uFFFD")...)
	}
	return b
}

// appendProblem appends a problem document. Only extensions can make it fail.
func appendProblem(b []byte, p *Problem) ([]byte, error) {
	b = append(b, '{')
	if p.Type != "" && p.Type != blank {
		b = appendMember(b, "type", p.Type)
		b = append(b, ',')
	}
	b = appendMember(b, "title", p.title())
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(p.Status), 10)
	b = appendOptional(b, "detail", p.Detail)
	b = appendOptional(b, "instance", p.Instance)
	b = appendOptional(b, "code", p.Code)
	if len(p.Fields) > 0 {
		b = append(b, `,"errors":`...)
		b = appendFields(b, p.Fields)
	}
	b, err := appendExtensions(b, p.Extensions)
	return append(b, '}'), err
}

// blank is the default type.
const blank = "about:blank"

func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(append(b, ','), name, value)
}

func appendMember(b []byte, name, value string) []byte {
	b = append(append(append(b, '"'), name...), `":`...)
	return appendString(b, value)
}

func appendFields(b []byte, fields []FieldError) []byte {
	b = append(b, '[')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		b = appendMember(b, "pointer", f.Pointer)
		b = append(b, ',')
		b = appendMember(b, "detail", f.Detail)
		b = append(b, '}')
	}
	return append(b, ']')
}

// standard are the members that an extension cannot replace.
var standard = [...]string{"type", "title", "status", "detail", "instance", "code", "errors"}

func isStandard(name string) bool {
	return slices.ContainsFunc(standard[:], func(s string) bool { return strings.EqualFold(s, name) })
}

// appendExtensions appends extensions in the order of their names.
func appendExtensions(b []byte, ext map[string]any) ([]byte, error) {
	if len(ext) == 0 {
		return b, nil
	}
	for _, name := range slices.Sorted(maps.Keys(ext)) {
		if isStandard(name) {
			continue
		}
		value, err := marshal(ext[name])
		if err != nil {
			return b, fmt.Errorf("errmap: extension %q cannot be encoded: %w", name, err)
		}
		b = append(appendString(append(b, ','), name), ':')
		b = append(b, value...)
	}
	return b, nil
}

// marshal is json.Marshal, but returns an error if a method of the value panics.
func marshal(v any) (b []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %s", errtree.Printed(p))
		}
	}()
	b, err = json.Marshal(v)
	if err == nil && !utf8.Valid(b) { // a json.RawMessage is not checked
		b = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return b, err
}

const digits = "0123456789abcdef"

// appendString appends a JSON string. It escapes what encoding/json escapes, so the
// string is also safe inside HTML and JavaScript.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
				i++
				continue
			}
			b = appendEscape(append(b, s[done:i]...), c)
			i++
			done = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[done:i]...), `\ufffd`...)
			done = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(append(append(b, s[done:i]...), `\u202`...), digits[r&0xF])
			done = i + size
		}
		i += size
	}
	return append(append(b, s[done:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	default:
		return append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&0xF])
	}
}
