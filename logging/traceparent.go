package logging

// trace is a position in a trace.
type trace struct {
	id, span string // lower-case hexadecimal, "" if there is none
	sampled  bool
	local    bool // span was started by this process
}

// The offsets of the fields of a traceparent (W3C Trace Context, section 3.2.2):
// version-traceid-parentid-flags.
const (
	traceAt, traceEnd = 3, 35
	spanAt, spanEnd   = 36, 52
	flagsAt, flagsEnd = 53, 55
)

// parseTraceparent parses a traceparent strictly. If the version is unknown, it
// reads the first four fields, as section 4.3 requires.
func parseTraceparent(s string) (t trace, ok bool) {
	if len(s) < flagsEnd || s[2] != '-' || s[traceEnd] != '-' || s[spanEnd] != '-' {
		return trace{}, false
	}
	version, id, span, flags := s[:2], s[traceAt:traceEnd], s[spanAt:spanEnd], s[flagsAt:flagsEnd]
	if !lowerHex(version) || !lowerHex(id) || !lowerHex(span) || !lowerHex(flags) ||
		version == "ff" || zeros(id) || zeros(span) {
		return trace{}, false
	}
	if len(s) > flagsEnd && (version == "00" || s[flagsEnd] != '-') {
		return trace{}, false
	}
	return trace{id: id, span: span, sampled: hexDigit(flags[1])&1 != 0}, true
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func zeros(s string) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return false
		}
	}
	return true
}

// hexDigit returns the value of a lower-case hexadecimal digit.
func hexDigit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}
