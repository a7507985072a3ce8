package logging

import "strings"

// scrub redacts the URLs inside a text such as an error's: their user names and
// passwords, the values of unlisted query keys, and fragments. A *url.Error has
// the whole URL of a call, and an error of url.Parse may quote the password.
//
// This applies to every URL, absolute or relative, even if there are several in one
// word. If it is unclear where a URL ends, more is redacted rather than less.
func (a *allowed) scrub(text string) string {
	if !suspicious(text) {
		return text
	}
	s := scrubber{allowed: a}
	s.text(scrubParseErrors(shorten(text)))
	return s.String()
}

// scrubValue is scrub for a value that may be one URL, as in the headers Referer
// and Location. A space does not end the URL.
func (a *allowed) scrubValue(value string) string {
	if !suspicious(value) || !startsURL(value) {
		return a.scrub(value)
	}
	s := scrubber{allowed: a}
	s.span(shorten(value))
	return s.String()
}

// scrubPath is like scrub, for a path. It redacts only URLs with a scheme, because
// proxies have their target in the path.
func (a *allowed) scrubPath(path string) string {
	if strings.Contains(path, "://") || escapedScheme(path) >= 0 {
		return a.scrub(path)
	}
	return path
}

// suspicious is a quick check whether text may have a URL with anything to
// redact. Most texts do not.
func suspicious(text string) bool {
	for i := range len(text) {
		switch text[i] {
		case '?', '@', '#', '%':
			return true
		case '/':
			if i > 0 && text[i-1] == '/' {
				return true
			}
		case '"':
			if strings.HasSuffix(text[:i], "invalid port ") {
				return true
			}
		}
	}
	return false
}

// shorten cuts a text that is too long. It cuts at a space if there is one, because
// a part of a URL is harder to recognize.
func shorten(text string) string {
	if len(text) <= maxQuery {
		return text
	}
	text = text[:maxQuery]
	if i := strings.LastIndexAny(text, spaces); i > maxQuery/2 {
		return text[:i]
	}
	return text
}

// scrubParseErrors redacts the parts of a URL that errors of package net/url
// quote, as in `invalid port ":secret" after host`.
func scrubParseErrors(text string) string {
	for _, what := range []string{`invalid port "`, `invalid URL escape "`, `invalid character "`} {
		i := strings.Index(text, what)
		if i < 0 {
			continue
		}
		i += len(what)
		end := i
		for end < len(text) && text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		text = text[:i] + redacted + scrubParseErrors(text[min(end, len(text)):])
	}
	return text
}

// scrubber writes a text without what must not be logged.
type scrubber struct {
	*allowed
	strings.Builder
	depth int // of values within values
}

const spaces = " \t\r\n\v\f"

// text redacts a text word by word. A word ends at a space; a quoted word that
// begins like a URL ends at the closing quote.
func (s *scrubber) text(t string) {
	from := 0
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case strings.IndexByte(spaces, c) >= 0:
			s.span(t[from:i])
			s.WriteByte(c)
			from = i + 1
		case opensQuote(t, from, i):
			end := closingQuote(t, i)
			s.span(t[from:i])
			s.WriteByte(c)
			s.span(t[i+1 : end])
			from, i = end, end
		}
	}
	s.span(t[from:])
}

// opensQuote reports whether a quoted URL begins at i, in a word that began at
// from. A quote may also be part of a URL that began before it.
func opensQuote(t string, from, i int) bool {
	switch t[i] {
	case '"', '\'', '`', '<':
	default:
		return false
	}
	if strings.HasSuffix(t[:i], "parse ") { // what url.Parse was given
		return true
	}
	if word := t[from:i]; strings.Contains(word, "//") || word != "" && alphanumeric(word[len(word)-1]) {
		return false
	}
	return startsURL(t[i+1:])
}

// closingQuote returns the end of the quotation that begins at i: an unescaped
// quote followed by a delimiter, or else the end of the text.
func closingQuote(t string, i int) int {
	quote, escaped := t[i], i > 0 && t[i-1] == '\\'
	if quote == '<' {
		quote = '>'
	}
	for j := i + 1; j < len(t); j++ {
		switch {
		case t[j] == '\\' && escaped:
			if j+1 < len(t) && t[j+1] == quote {
				return j
			}
		case t[j] == '\\':
			j++
		case t[j] == quote && !escaped && (j+1 == len(t) || strings.IndexByte(spaces+"\"'`,.;:!)]}>\\", t[j+1]) >= 0):
			return j
		}
	}
	return len(t)
}

// startsURL reports whether s begins like an absolute URL or a reference.
func startsURL(s string) bool {
	if s != "" && strings.IndexByte("/?#", s[0]) >= 0 {
		return true
	}
	n := 0
	for n < len(s) && schemeChar(s[n]) {
		n++
	}
	return strings.HasPrefix(s[n:], "://")
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// schemeChar reports whether c may be a part of a scheme (RFC 3986 section 3.1).
func schemeChar(c byte) bool { return alphanumeric(c) || c == '+' || c == '-' || c == '.' }
