package errmap

import (
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

const urn = "urn:uuid:"

// instance names this occurrence by the id that the log line has: that of the
// request where it is a UUID, else one of its own, which the line then shows.
func instance(x *exchange.Exchange) string {
	if x == nil {
		return urn + exchange.NewID(time.Now())
	}
	id := x.ID()
	if !isUUID(id) {
		id = exchange.NewID(time.Now())
		x.SetProblemID(id)
	}
	return urn + id
}

// isUUID reports whether s has the form of RFC 9562 section 4.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
				return false
			}
		}
	}
	return true
}
