package logging

import "strings"

// span redacts the URLs in a word or in a quotation.
func (s *scrubber) span(w string) {
	if !suspicious(w) {
		s.WriteString(w)
		return
	}
	if i := escapedScheme(w); i >= 0 && !strings.ContainsAny(w[:i], "?#") { // otherwise the scheme is in a query, which is redacted
		s.span(w[:i])
		s.WriteString(redacted)
		return
	}
	start, _ := scheme(w, 0)
	if start < 0 {
		s.relative(w)
		return
	}
	if i := strings.IndexAny(w, "?#"); i >= 0 && i < start && isReference(w, i) {
		s.relative(w)
		return
	}
	s.relative(w[:start])
	for start >= 0 {
		w = w[start:]
		start = nested(w)
		if start < 0 {
			s.absolute(w)
			return
		}
		s.absolute(w[:start])
	}
}

// scheme finds the first URL with an authority at or after from. It returns the
// index of the URL and the index of its authority, or -1. The scheme may be
// missing, but two slashes inside a path do not begin a URL.
func scheme(w string, from int) (start, authority int) {
	for at := from; ; {
		i := strings.Index(w[at:], "//")
		if i < 0 {
			return -1, -1
		}
		at += i
		switch {
		case at > from && w[at-1] == ':':
			for start = at - 1; start > from && schemeChar(w[start-1]); {
				start--
			}
			return start, at + 2
		case at == from || !alphanumeric(w[at-1]) && w[at-1] != '/':
			return at, at + 2
		}
		at += 2
	}
}

// escapedScheme returns the index of a "://" with escaped characters, or -1. The
// characters may be escaped more than once, and url.PathEscape does not escape the
// colon.
func escapedScheme(w string) int {
	if strings.IndexByte(w, '%') < 0 {
		return -1
	}
	for i := range len(w) {
		colon := charLen(w[i:], ':', "3A")
		if colon == 0 {
			continue
		}
		first := charLen(w[i+colon:], '/', "2F")
		if first == 0 {
			continue
		}
		if second := charLen(w[i+colon+first:], '/', "2F"); second > 0 && colon+first+second > len("://") {
			return i
		}
	}
	return -1
}

// charLen returns the length of the character c at the beginning of s, escaped or
// not. It returns 0 if s does not begin with c. hex is the escaped form of c.
func charLen(s string, c byte, hex string) int {
	switch {
	case s == "":
		return 0
	case s[0] == c:
		return 1
	case s[0] != '%':
		return 0
	}
	n := 1
	for strings.HasPrefix(s[n:], "25") {
		n += len("25")
	}
	if end := n + len(hex); len(s) >= end && strings.EqualFold(s[n:end], hex) {
		return end
	}
	return 0
}

// nested returns the index of a second URL, or -1. It may follow in a list, or be
// part of the first URL's path. A URL in the query is part of the query.
func nested(w string) int {
	_, from := scheme(w, 0)
	place := w
	if i := strings.IndexAny(w[from:], "?#"); i >= 0 {
		place = w[:from+i]
	}
	for {
		start, authority := scheme(place, from)
		if start < 0 {
			return -1
		}
		if start > from && place[start-1] != ':' { // otherwise it is part of a password
			return start
		}
		from = authority
	}
}

// absolute redacts a URL with a scheme.
func (s *scrubber) absolute(u string) {
	_, i := scheme(u, 0)
	rest := u[i:]
	s.WriteString(u[:i])
	place, tail := cutAny(rest, "?#")
	authority, _ := cutAny(place, "/\\")
	at := -1
	switch {
	case strings.Contains(authority, "@"):
		at = strings.LastIndexByte(place, '@') // the password may have a slash
	case !validPorts(authority) || strings.Contains(authority, ":") && !isWeb(u):
		// An unescaped password may continue after the end of the authority as RFC
		// 3986 defines it.
		at = strings.LastIndexByte(rest, '@')
	}
	if at >= 0 {
		ends := "?#"
		if at >= len(place) { // what looked like a query is part of the password
			ends += "&"
		}
		s.user(rest[:at])
		place, tail = cutAny(rest[at:], ends)
	}
	s.hostAndPath(place, at >= 0 || i == len("//"))
	s.queryAndFragment(tail)
}

// user writes the redacted userinfo.
func (s *scrubber) user(info string) {
	s.WriteString(redacted)
	if strings.Contains(info, ":") {
		s.WriteString(":" + redacted)
	}
}

// hostAndPath writes the host and the path. If known is false, what looks like a
// host and a port that is not a number may be a user name and a password. After a
// semicolon in the authority there may be a password for SQL Server.
func (s *scrubber) hostAndPath(place string, known bool) {
	authority, path := cutAny(place, "/\\")
	if host, _, ok := strings.Cut(authority, ";"); ok {
		authority = host + ";" + redacted
	}
	if !known && !validPorts(authority) {
		host, _, _ := strings.Cut(authority, ":")
		authority = host + ":" + redacted
	}
	s.WriteString(authority)
	s.WriteString(path)
}

// validPorts reports whether the ports in a list of hosts are numbers.
func validPorts(authority string) bool {
	authority, _, _ = strings.Cut(authority, ";")
	authority = strings.TrimRight(authority, ":.,;!)]}>'\"`")
	for host := range strings.SplitSeq(authority, ",") {
		if i := strings.LastIndexByte(host, ']'); i >= 0 && strings.HasPrefix(host, "[") {
			host = host[i:]
		}
		if _, port, has := strings.Cut(host, ":"); has && strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	return true
}

// isWeb reports whether u has a scheme of the web. In such a URL, a port and an "@"
// in the path are more likely than an unescaped password.
func isWeb(u string) bool {
	scheme, _, _ := strings.Cut(u, ":")
	switch strings.ToLower(scheme) {
	case "http", "https", "ws", "wss":
		return true
	}
	return false
}

// queryAndFragment writes a query, beginning with "?" or "&", and a fragment.
func (s *scrubber) queryAndFragment(tail string) {
	if tail == "" {
		return
	}
	query, fragment, has := strings.Cut(tail, "#")
	if query != "" {
		s.WriteByte(query[0])
		s.WriteString(s.redactQuery(query[1:], s.depth))
	}
	switch {
	case fragment != "":
		s.WriteString("#" + redacted)
	case has:
		s.WriteByte('#')
	}
}

// relative redacts a word without a scheme: a reference such as "/x?token=y", or
// "user:password@host", which some drivers accept.
func (s *scrubber) relative(w string) {
	bare := strings.TrimLeft(w, "\"'`(<[{")
	s.WriteString(w[:len(w)-len(bare)])
	place, tail := cutAny(bare, "?#")
	at := endOfCredentials(place)
	unclear := at >= 0 && strings.Contains(tail, "@") // the password may have a "?"
	if at < 0 {
		at = endOfCredentials(bare)
	}
	if at >= 0 {
		s.user(bare[:at])
		bare = bare[at:]
	}
	i := strings.IndexAny(bare, "?#")
	switch {
	case i >= 0 && isReference(bare, i):
	case unclear:
		s.WriteString("@" + redacted)
		return
	default:
		s.WriteString(bare)
		return
	}
	s.WriteString(bare[:i])
	s.queryAndFragment(bare[i:])
}

// endOfCredentials returns the index of the last "@" if a password may be before it,
// otherwise -1.
func endOfCredentials(s string) int {
	if at := strings.LastIndexByte(s, '@'); at >= 0 && hasCredentials(s[:at]) {
		return at
	}
	return -1
}

// hasCredentials reports whether the text before an "@" may have a password. A
// query is redacted in any case, and a mail address has no password.
func hasCredentials(s string) bool {
	before, _, asked := strings.Cut(s, "?")
	kind, _, colon := strings.Cut(before, ":")
	if asked && strings.Contains(before, "/") || strings.HasPrefix(s, "/") {
		return false
	}
	return colon && kind != "mailto" && kind != "acct"
}

// isReference reports whether w is a reference whose query or fragment begins at i,
// and not just text.
func isReference(w string, i int) bool {
	before, tail := w[:i], w[i:]
	switch {
	case strings.Contains(tail, "="), strings.HasPrefix(before, "/"), strings.HasPrefix(before, "./"):
		return true
	case tail[0] == '?':
		return strings.Contains(before, "/")
	}
	return false
}

// cutAny cuts s before the first of chars.
func cutAny(s, chars string) (before, after string) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}
