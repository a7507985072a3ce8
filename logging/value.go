package logging

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"slices"
	"time"
)

// Bounds on what the application adds to a log record.
const (
	maxAttrs   = 256      // attributes of one call, including those in groups
	maxGroups  = 16       // nesting of groups
	maxResolve = 16       // LogValuers that return LogValuers
	maxDepth   = 64       // nesting of pointers, maps and lists in a value
	maxJSON    = 64 << 10 // size of a value before it is encoded: its bytes plus perNode for each node
	perNode    = 8
)

// freezer makes attributes immutable and safe to write: their size is bounded, text
// is escaped, URLs are redacted, and other values are encoded by encoding/json. A
// note replaces a value that cannot be encoded (a cycle, a function, a request).
// Package fmt is not used: it would print the credentials of a request, and follow
// a cycle without end.
type freezer struct {
	*settings
	left    int // attributes that may still be added
	dropped int
}

func (s *settings) freezer() freezer { return freezer{settings: s, left: maxAttrs} }

// attr appends a, or the members of a if it is a group without a name. Names in
// the result are unique.
func (f *freezer) attr(to []slog.Attr, a slog.Attr, depth int) []slog.Attr {
	if f.left--; f.left < 0 {
		f.dropped++
		return to
	}
	v := resolve(a.Value)
	key := cleanTo(f.query.scrub(a.Key), maxID, false)
	if v.Kind() != slog.KindGroup {
		switch {
		case key != "":
			return merge(to, slog.Attr{Key: key, Value: f.value(v)})
		case !v.Equal(slog.Value{}): // slog ignores a zero attribute
			f.dropped++
		}
		return to
	}
	members := v.Group()
	if depth >= maxGroups {
		f.dropped += len(members)
		return to
	}
	if key == "" {
		for _, m := range members {
			to = f.attr(to, m, depth+1)
		}
		return to
	}
	var group []slog.Attr
	for _, m := range members {
		group = f.attr(group, m, depth+1)
	}
	if len(group) == 0 {
		return to
	}
	return merge(to, slog.Attr{Key: key, Value: slog.GroupValue(group...)})
}

// merge adds a to attributes with unique names. An attribute with the same name is
// replaced; groups with the same name are merged.
func merge(attrs []slog.Attr, a slog.Attr) []slog.Attr {
	if i := named(attrs, a.Key); i >= 0 {
		attrs[i] = mergedWith(attrs[i], a)
		return attrs
	}
	return append(attrs, a)
}

// named returns the index of the attribute with that name, or -1.
func named(attrs []slog.Attr, key string) int {
	return slices.IndexFunc(attrs, func(a slog.Attr) bool { return a.Key == key })
}

// mergedWith returns a, the later of two attributes with the same name. If both are
// groups, it returns the merged group.
func mergedWith(old, a slog.Attr) slog.Attr {
	if old.Value.Kind() != slog.KindGroup || a.Value.Kind() != slog.KindGroup {
		return a
	}
	group := slices.Clone(old.Value.Group())
	for _, m := range a.Value.Group() {
		group = merge(group, m)
	}
	a.Value = slog.GroupValue(group...)
	return a
}

// resolve calls LogValue methods. Unlike slog.Value.Resolve it does not return
// the stack if one panics.
func resolve(v slog.Value) (out slog.Value) {
	var last slog.LogValuer
	defer func() {
		if recover() != nil {
			out = slog.StringValue(fmt.Sprintf("%T, whose LogValue method panicked", last))
		}
	}()
	for range maxResolve {
		if v.Kind() != slog.KindLogValuer {
			return v
		}
		last = v.LogValuer()
		v = last.LogValue()
	}
	return slog.StringValue(fmt.Sprintf("%T, whose LogValue methods have no end", last))
}

// value freezes a value that is not a group.
func (f *freezer) value(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(clean(f.query.scrub(v.String())))
	case slog.KindFloat64:
		if n := v.Float64(); math.IsNaN(n) || math.IsInf(n, 0) {
			return slog.StringValue(v.String())
		}
	case slog.KindTime:
		if y := v.Time().Year(); y < 0 || y > 9999 {
			return slog.StringValue(v.Time().Format(time.RFC3339Nano))
		}
	case slog.KindAny:
		return f.any(v.Any())
	}
	return v
}

// any freezes a value of slog.KindAny.
func (f *freezer) any(v any) (out slog.Value) {
	defer func() {
		if recover() != nil { // a method of v panicked, or v is a nil pointer
			out = note(v, "which panics when it is encoded")
		}
	}()
	switch v := v.(type) {
	case nil:
		return slog.AnyValue(nil)
	case error:
		return slog.StringValue(clean(errorText(v, &f.query)))
	case http.Header:
		return f.header(v)
	case textproto.MIMEHeader:
		return f.header(http.Header(v))
	case *http.Request, http.Request, *http.Response, http.Response, http.ResponseWriter, context.Context:
		return note(v, "which is not logged")
	case *url.URL:
		return slog.StringValue(clean(f.query.scrubValue(v.String())))
	case url.URL:
		return slog.StringValue(clean(f.query.scrubValue(v.String())))
	case *http.Cookie, http.Cookie, []*http.Cookie, []http.Cookie, *url.Userinfo, url.Userinfo:
		return slog.StringValue(redacted)
	case url.Values:
		return slog.StringValue(clean(f.query.redact(v.Encode())))
	}
	left := maxJSON
	if !fits(reflect.ValueOf(v), &left, maxDepth) {
		return note(v, "which is too large or has a cycle")
	}
	b, err := json.Marshal(v)
	if err != nil {
		return note(v, "which has no JSON form")
	}
	if b = f.query.scrubJSON(b); !uniqueNames(b) {
		return slog.StringValue(clean(string(b)))
	}
	return rawValue(b)
}

// note returns the text written instead of a value.
func note(v any, why string) slog.Value { return slog.StringValue(fmt.Sprintf("%T, %s", v, why)) }

// rawValue returns the JSON text b unchanged or, if b is long or not ASCII, as a
// clean string.
func rawValue(b []byte) slog.Value {
	if len(b) <= maxValue && printable(string(b)) {
		return slog.AnyValue(json.RawMessage(b))
	}
	return slog.StringValue(clean(string(b)))
}

// header freezes headers. Values of headers that are not listed are redacted.
func (f *freezer) header(h http.Header) slog.Value {
	out := make(http.Header, min(len(h), maxAttrs))
	for k, v := range h {
		if len(out) == maxAttrs {
			break
		}
		name := clean(f.query.scrub(k))
		if f.listed(k) {
			out[name] = f.query.cleanAll(v)
		} else {
			out[name] = []string{redacted}
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return note(h, "which has no JSON form")
	}
	return rawValue(b)
}

// listed reports whether a header may be logged.
func (s *settings) listed(name string) bool {
	name = http.CanonicalHeaderKey(name)
	for _, fields := range [][]headerField{s.requestHeaders, s.responseHeaders} {
		for _, f := range fields {
			if f.canonical == name {
				return true
			}
		}
	}
	return false
}

// fits reports whether a value is small enough to be encoded, without calling any
// of its methods. It does not look into types that have their own MarshalJSON or
// MarshalText.
func fits(v reflect.Value, left *int, depth int) bool {
	if *left -= perNode; *left < 0 || depth == 0 {
		return false
	}
	switch {
	case !v.IsValid():
		return true
	case v.Kind() == reflect.String, v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		*left -= v.Len()
		return *left >= 0
	case encodes(v.Type()):
		return true
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || fits(v.Elem(), left, depth-1)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !fits(v.Index(i), left, depth-1) {
				return false
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if !fits(it.Key(), left, depth-1) || !fits(it.Value(), left, depth-1) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && !fits(v.Field(i), left, depth-1) {
				return false
			}
		}
	}
	return *left >= 0
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// encodes reports whether a type has a method that encoding/json calls.
func encodes(t reflect.Type) bool {
	return t.Kind() != reflect.Interface && (t.Implements(jsonMarshaler) || t.Implements(textMarshaler))
}
