package errmap

import "strings"

// offer is a media type that can be sent.
type offer struct{ name, main, contentType string }

// offers are the media types in our order of preference.
var offers = [...]offer{
	{"application/problem+json", "application/*", typeProblem},
	{"application/json", "application/*", typeJSON},
	{"text/plain", "text/*", typeText},
}

// negotiate returns the type that the client prefers (RFC 9110 section 12.5.1). If
// several types have the same weight, it returns the first one in offers; their
// order in the header does not matter. It ignores the header if no offer is
// acceptable.
func negotiate(accept []string) string {
	if len(accept) == 0 || len(accept) == 1 && accept[0] == "*/*" {
		return typeProblem
	}
	var weight, fit [len(offers)]int
	for _, header := range accept {
		for header != "" {
			var element string
			element, header = cut(header, ',')
			weigh(element, &weight, &fit)
		}
	}
	best := 0
	for i := range offers {
		if weight[i] > weight[best] {
			best = i
		}
	}
	return offers[best].contentType
}

// How specific a media range is. The weight of a type is that of the most specific
// range that matches it.
const (
	fitAny = iota + 1
	fitMain
	fitName
)

// weigh applies one element of the header. It ignores a malformed one.
func weigh(element string, weight, fit *[len(offers)]int) {
	name, params := cut(element, ';')
	name = strings.Trim(name, " \t")
	q, ok := quality(params)
	if !ok {
		return
	}
	for i := range offers {
		f := offers[i].fit(name)
		if f > fit[i] || f == fit[i] && f > 0 && q > weight[i] {
			fit[i], weight[i] = f, q
		}
	}
}

func (o *offer) fit(name string) int {
	switch {
	case strings.EqualFold(name, o.name):
		return fitName
	case strings.EqualFold(name, o.main):
		return fitMain
	case name == "*/*":
		return fitAny
	default:
		return 0
	}
}

// quality returns the weight in the parameters, in thousandths. The default is 1000.
func quality(params string) (q int, ok bool) {
	for params != "" {
		var p string
		p, params = cut(params, ';')
		p = strings.Trim(p, " \t")
		if len(p) >= 2 && (p[0] == 'q' || p[0] == 'Q') && p[1] == '=' {
			return parseQuality(p[2:])
		}
	}
	return 1000, true
}

// parseQuality parses 0, 1, or a fraction of at most three digits.
func parseQuality(s string) (q int, ok bool) {
	if s == "" || len(s) > len("0.000") || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	q = int(s[0]-'0') * 1000
	place := 100
	for i := 2; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		q += int(s[i]-'0') * place
		place /= 10
	}
	return q, q <= 1000
}

// cut is strings.Cut, but ignores separators inside quoted strings.
func cut(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
