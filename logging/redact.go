package logging

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// redacted replaces a value that may not be logged, as in OpenTelemetry's
// conventions.
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

// maxQuery bounds how much of a query or a text is examined. More would not fit
// into a value.
const maxQuery = 4 * maxValue

// redact returns a raw query with the values of unlisted keys replaced. A pair
// without a value may be a value or a key (a bare Base64 string ends in "="), so
// the whole pair is replaced. A pair with a semicolon is replaced, too, because on
// some servers a semicolon separates pairs.
func (a *allowed) redact(query string) string { return a.redactQuery(query, 0) }

func (a *allowed) redactQuery(query string, depth int) string {
	if len(query) > maxQuery {
		query = query[:maxQuery]
	}
	var b strings.Builder
	b.Grow(len(query))
	for i, pair := range strings.Split(query, "&") {
		if i > 0 {
			b.WriteByte('&')
		}
		key, value, _ := strings.Cut(pair, "=")
		switch {
		case pair == "":
		case strings.Contains(pair, ";") && (strings.Contains(key, ";") || strings.Trim(value, "=") == ""):
			b.WriteString(redacted)
		case a.has(key) && strings.Contains(pair, "="):
			b.WriteString(key + "=" + a.listed(value, depth))
		case strings.Trim(value, "=") == "", !showable(key):
			b.WriteString(redacted)
		default:
			b.WriteString(key + "=" + redacted)
		}
	}
	return b.String()
}

// has reports whether the values of a raw key may be logged.
func (a *allowed) has(raw string) bool {
	if len(a.keys) == 0 {
		return false
	}
	key, err := url.QueryUnescape(raw)
	return err == nil && a.keys[key]
}

// showable reports whether a key is a plain name and not part of a URL.
func showable(raw string) bool {
	key, err := url.QueryUnescape(raw)
	return err == nil && !strings.ContainsAny(key, "?#@") && !strings.Contains(key, "//")
}

// maxNesting bounds the search for URLs inside listed query values.
const maxNesting = 3

// listed returns the value of a listed key. The same rules apply to a URL inside
// it, escaped or not.
func (a *allowed) listed(value string, depth int) string {
	if strings.Trim(value, "=") == "" || !suspicious(value) && !strings.ContainsAny(value, ";\\") {
		return value
	}
	decoded, err := url.PathUnescape(value) // '+' stays
	switch {
	case err != nil, strings.ContainsAny(value, ";\\"), depth >= maxNesting:
		return redacted
	}
	s := scrubber{allowed: a, depth: depth + 1}
	if s.span(decoded); s.String() != decoded {
		return url.QueryEscape(s.String())
	}
	return value
}

// headerField is a header that may be logged, and its key in the log record.
type headerField struct{ canonical, key string }

// headerFields returns the listed headers, sorted by key.
func headerFields(prefix string, headers []string) []headerField {
	fields := make([]headerField, 0, len(headers))
	for _, h := range headers {
		fields = append(fields, headerField{http.CanonicalHeaderKey(h), prefix + strings.ToLower(h)})
	}
	slices.SortFunc(fields, func(a, b headerField) int { return strings.Compare(a.key, b.key) })
	return slices.CompactFunc(fields, func(a, b headerField) bool { return a.key == b.key })
}

// pick appends the listed headers. Their values are lists, as in OpenTelemetry's
// conventions.
func (s *settings) pick(attrs []slog.Attr, fields []headerField, h http.Header, r *http.Request) []slog.Attr {
	for _, f := range fields {
		v := h[f.canonical]
		if r != nil && len(v) == 0 {
			v = movedHeader(r, f.canonical)
		}
		if len(v) > 0 {
			attrs = append(attrs, slog.Attr{Key: f.key, Value: list(s.query.cleanAll(v))})
		}
	}
	return attrs
}

// movedHeader returns the values of a header that net/http moves from the map to a
// field of the request.
func movedHeader(r *http.Request, name string) []string {
	switch name {
	case "Host":
		if r.Host != "" {
			return []string{r.Host}
		}
	case "Transfer-Encoding":
		return r.TransferEncoding
	case "Trailer":
		return slices.Sorted(maps.Keys(r.Trailer))
	}
	return nil
}

// maxRepeats is the maximum number of values of a header in a log record.
const maxRepeats = 8

// cleanAll cleans and redacts the values of a header.
func (a *allowed) cleanAll(v []string) []string {
	v = slices.Clone(v[:min(len(v), maxRepeats)])
	for i := range v {
		v[i] = clean(a.scrubValue(v[i]))
	}
	return v
}

// list returns clean strings as a JSON array.
func list(v []string) slog.Value {
	b, err := json.Marshal(v)
	if err != nil {
		return slog.StringValue(clean(strings.Join(v, ", ")))
	}
	return rawValue(b)
}
