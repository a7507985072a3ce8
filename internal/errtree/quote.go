package errtree

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote returns s for one line of a plain-text log. It keeps at most limit bytes,
// and escapes everything that could begin another line, move a terminal's cursor or
// reorder the text. The result says how much was cut off.
func Quote(s string, limit int) string {
	rest := ""
	if len(s) > limit {
		rest = fmt.Sprintf("... (%d bytes)", len(s))
		n := limit
		for n > max(0, limit-utf8.UTFMax) && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	if printable(s) {
		return s + rest
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if one := s[i : i+size]; printableRune(r, size) {
			b.WriteString(one)
		} else {
			q := strconv.Quote(one)
			b.WriteString(q[1 : len(q)-1])
		}
		i += size
	}
	return b.String() + rest
}

func printable(s string) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !printableRune(r, size) {
			return false
		}
		i += size
	}
	return true
}

func printableRune(r rune, size int) bool {
	return unicode.IsPrint(r) && (r != utf8.RuneError || size > 1)
}
