package logging

// maxID is the maximum length of an inbound request id.
const maxID = 128

// validID reports whether s matches [A-Za-z0-9._:/+-]{1,128}. The id is written to
// a header, a log record and an error document, so it must be harmless in all
// three.
func validID(s string) bool {
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
