package logging

// maxID is how long an inbound request id may be.
const maxID = 128

// cleanID reports whether s matches [A-Za-z0-9._:/+-]{1,128}: what is echoed
// into a header, a log and an error document must be harmless in all of them.
func cleanID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == ':', c == '/', c == '+', c == '-':
		default:
			return false
		}
	}
	return true
}
