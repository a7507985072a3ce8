package logging

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// redacted stands for a value that may not be logged, as OpenTelemetry writes
// it: that something was sent is not the secret.
const redacted = "REDACTED"

// allowed is the list of query keys that may be logged.
type allowed struct{ keys map[string]bool }

func newAllowed(keys []string) allowed {
	a := allowed{make(map[string]bool, len(keys))}
	for _, k := range keys {
		a.keys[k] = true
	}
	return a
}

// maxQuery bounds the work on a query: of what comes after nothing would be
// left in the line.
const maxQuery = 4 * maxValue

// redact is a raw query with the values that are not allowed replaced. A pair
// without "=" may be a value as well as a key and is replaced whole, and so is
// what holds a semicolon: whether that separates is a matter of the server.
func (a *allowed) redact(query string) string {
	if len(query) > maxQuery {
		query = query[:maxQuery]
	}
	var b strings.Builder
	b.Grow(len(query))
	for i, pair := range strings.Split(query, "&") {
		if i > 0 {
			b.WriteByte('&')
		}
		key, value, found := strings.Cut(pair, "=")
		switch {
		case pair == "":
		case !found, strings.Contains(key, ";"):
			b.WriteString(redacted)
		case a.has(key) && !strings.Contains(value, ";"):
			b.WriteString(pair)
		default:
			b.WriteString(key)
			b.WriteString("=" + redacted)
		}
	}
	return b.String()
}

func (a *allowed) has(raw string) bool {
	if len(a.keys) == 0 {
		return false
	}
	key, err := url.QueryUnescape(raw)
	return err == nil && a.keys[key]
}

// scrub redacts the URLs inside a text, by the same rule: *url.Error holds the
// whole URL of a call, its password and tokens with it.
func (a *allowed) scrub(text string) string {
	if len(text) > maxQuery {
		text = text[:maxQuery]
	}
	if !strings.ContainsAny(text, "?@") {
		return text
	}
	var b strings.Builder
	for text != "" {
		n := strings.IndexAny(text, " \t\r\n\"'`<>")
		if n < 0 {
			n = len(text)
		}
		b.WriteString(a.scrubURL(text[:n]))
		if n < len(text) {
			b.WriteByte(text[n])
			n++
		}
		text = text[n:]
	}
	return b.String()
}

// scrubURL redacts one word of a text if it looks like a URL or a path with a
// query.
func (a *allowed) scrubURL(word string) string {
	scheme, rest, absolute := strings.Cut(word, "://")
	if !absolute {
		scheme, rest = "", word
	}
	if !absolute && !strings.Contains(word, "/") {
		return word
	}
	place, query, asked := strings.Cut(rest, "?")
	if absolute {
		place = scheme + "://" + withoutUser(place)
	}
	if !asked {
		return place
	}
	query, _, _ = strings.Cut(query, "#")
	return place + "?" + a.redact(query)
}

// withoutUser takes the userinfo out of what follows a scheme. A password with
// a slash in it pushes the @ out of the authority, and is recognised by what
// would be no port.
func withoutUser(place string) string {
	authority, _, _ := strings.Cut(place, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		if _, port, has := strings.Cut(authority, ":"); !has || strings.Trim(port, "0123456789") == "" {
			return place
		}
		at = strings.LastIndexByte(place, '@')
	}
	if at < 0 {
		return place
	}
	if strings.Contains(place[:at], ":") {
		return redacted + ":" + redacted + place[at:]
	}
	return redacted + place[at:]
}

// headerField is a header that may be logged, and its key in the line.
type headerField struct{ canonical, key string }

// headerFields sorts by key, so that lines look alike.
func headerFields(prefix string, headers []string) []headerField {
	fields := make([]headerField, 0, len(headers))
	for _, h := range headers {
		fields = append(fields, headerField{http.CanonicalHeaderKey(h), prefix + strings.ToLower(h)})
	}
	slices.SortFunc(fields, func(a, b headerField) int { return strings.Compare(a.key, b.key) })
	return slices.CompactFunc(fields, func(a, b headerField) bool { return a.key == b.key })
}

// pick copies the headers that may be logged. Their values are lists, as
// OpenTelemetry has them.
func (l *line) pick(attrs []slog.Attr, fields []headerField, h http.Header) []slog.Attr {
	for _, f := range fields {
		if v := h[f.canonical]; len(v) > 0 {
			attrs = append(attrs, l.settle(slog.Any(f.key, cleanAll(v))))
		}
	}
	return attrs
}

// maxRepeats is how often a header may be repeated in a line.
const maxRepeats = 8

func cleanAll(v []string) []string {
	v = slices.Clone(v[:min(len(v), maxRepeats)])
	for i := range v {
		v[i] = clean(v[i])
	}
	return v
}
