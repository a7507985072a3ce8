package logging

import "strings"

// parseForwarded is the for= values of a Forwarded header (RFC 7239), "" for an
// element that has none. It is strict: a quote that somebody opened and left
// open would hide what the next proxy wrote, so a line that is not as the RFC
// has it is not read at all.
func parseForwarded(line string) (elements []string, ok bool) {
	p := parser(line)
	for {
		p.space()
		if p == "" {
			return elements, true
		}
		if p.take(',') { // an empty element
			continue
		}
		element, ok := p.element()
		if !ok {
			return nil, false
		}
		elements = append(elements, element)
		if p.space(); p != "" && !p.take(',') {
			return nil, false
		}
	}
}

// parser is what is left to read.
type parser string

func (p *parser) space() { *p = parser(strings.TrimLeft(string(*p), " \t")) }

func (p *parser) take(c byte) bool {
	if *p == "" || (*p)[0] != c {
		return false
	}
	*p = (*p)[1:]
	return true
}

// element reads forwarded-element: pairs, separated by semicolons. A parameter
// may occur once.
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

func (p *parser) token() string {
	n := 0
	for n < len(*p) && token(string((*p)[n:n+1])) {
		n++
	}
	t := (*p)[:n]
	*p = (*p)[n:]
	return string(t)
}

// quoted reads the rest of a quoted-string. A backslash has no business in an
// address.
func (p *parser) quoted() (string, bool) {
	value, rest, ok := strings.Cut(string(*p), `"`)
	if !ok || strings.ContainsRune(value, '\\') {
		return "", false
	}
	*p = parser(rest)
	return value, true
}
