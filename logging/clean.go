package logging

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// These bound a log record. Clients choose much of its content and must not be able
// to fill the disk.
const (
	maxValue  = 1 << 10
	maxRecord = 16 << 10
	maxStack  = 6 << 10
	cutMark   = "…"
)

// clean returns s as a value for a log record. The result is at most 1 KiB of valid
// UTF-8. Unprintable characters are escaped: control characters, terminal
// sequences, line separators, and marks that change the direction of text. slog's
// JSON handler escapes less, and other handlers may escape nothing.
func clean(s string) string { return cleanTo(s, maxValue, false) }

// cleanTo is clean with another limit; multiline keeps newlines and tabs, for
// stacks.
func cleanTo(s string, limit int, multiline bool) string {
	if len(s) <= limit && (plain(s) || printable(s)) {
		return s
	}
	return escape(s, limit, multiline)
}

// printable reports whether s is printable ASCII.
func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// plain reports whether s is printable ASCII that no handler has to escape. Nearly
// every value is plain. The function runs for every value, so it checks eight bytes
// at a time; see https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord.
func plain(s string) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		quote, slash, del := w^(ones*'"'), w^(ones*'\\'), w^(ones*0x7f)
		bad := w | (w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash | (del-ones)&^del
		if bad&tops != 0 {
			return false
		}
	}
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// escape escapes s and shortens it. It cuts between runes and never within an
// escape, and marks the cut.
func escape(s string, limit int, multiline bool) string {
	var room [16]byte
	out := make([]byte, 0, min(len(s)+16, limit))
	fits := 0 // the length of the output so far that leaves room for the mark
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		before := len(out)
		switch {
		case r == utf8.RuneError && size == 1:
			out = utf8.AppendRune(out, utf8.RuneError)
		case unicode.IsPrint(r), multiline && (r == '\n' || r == '\t'):
			out = append(out, s[i:i+size]...)
		default:
			q := strconv.AppendQuoteRune(room[:0], r)
			out = append(out, q[1:len(q)-1]...)
		}
		i += size
		if before+len(cutMark) <= limit {
			fits = before
		}
		if len(out) > limit {
			return string(out[:fits]) + cutMark
		}
	}
	return string(out)
}

// cost returns the maximum number of bytes of a clean s in a log record. The slog
// handler doubles quotes, backslashes, and the newlines of a stack.
func cost(s string) int {
	n := len(s)
	if plain(s) {
		return n
	}
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' || c < 0x20 {
			n++
		}
	}
	return n
}
