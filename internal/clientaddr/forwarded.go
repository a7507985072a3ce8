package clientaddr

import "strings"

// parseForwarded returns the for= values of a Forwarded header (RFC 7239 section
// 4). The value is "" for an empty element and for an element without for=. A line
// that breaks the grammar is ignored, because a quote that a client did not close
// would hide what the next proxy wrote.
func parseForwarded(line string) (elements []string, ok bool) {
	p := parser(line)
	for {
		p.space()
		var element string
		if p != "" && p[0] != ',' {
			if element, ok = p.element(); !ok {
				return nil, false
			}
			p.space()
		}
		elements = append(elements, element)
		if p == "" {
			return elements, true
		}
		if !p.take(',') {
			return nil, false
		}
	}
}

// parser is the part that is still to be parsed.
type parser string

func (p *parser) space() { *p = parser(strings.TrimLeft(string(*p), " \t")) }

func (p *parser) take(c byte) bool {
	if *p == "" || (*p)[0] != c {
		return false
	}
	*p = (*p)[1:]
	return true
}

// element reads a forwarded-element: pairs, separated by semicolons. A
// parameter may occur once.
func (p *parser) element() (node string, ok bool) {
	seen := false
	for {
		name, value, ok := p.pair()
		switch {
		case !ok:
			return "", false
		case strings.EqualFold(name, "for") && seen:
			return "", false
		case strings.EqualFold(name, "for"):
			node, seen = value, true
		}
		if !p.take(';') {
			return node, true
		}
		p.space()
	}
}

// pair reads token "=" value.
func (p *parser) pair() (name, value string, ok bool) {
	name = p.token()
	if name == "" || !p.take('=') {
		return "", "", false
	}
	if p.take('"') {
		value, ok = p.quoted()
		return name, value, ok
	}
	value = p.token()
	return name, value, value != ""
}

// token reads a token (RFC 9110 section 5.6.2).
func (p *parser) token() string {
	n := 0
	for n < len(*p) && tokenChar((*p)[n]) {
		n++
	}
	t := (*p)[:n]
	*p = (*p)[n:]
	return string(t)
}

func tokenChar(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) < 0
}

// quoted reads the rest of a quoted-string. It accepts no backslash, because no
// address needs one.
func (p *parser) quoted() (string, bool) {
	value, rest, ok := strings.Cut(string(*p), `"`)
	if !ok || strings.ContainsRune(value, '\\') {
		return "", false
	}
	*p = parser(rest)
	return value, true
}
