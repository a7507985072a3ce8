package errmap

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

const urn = "urn:uuid:"

// instance names this occurrence by the id that the log line has: that of the
// request where it is a UUID, else one of its own, which the line then shows.
func instance(x *exchange.Exchange) string {
	if x == nil {
		return urn + newUUID()
	}
	id := x.ID()
	if !isUUID(id) {
		id = newUUID()
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

// newUUID makes a UUID of version 7 (RFC 9562 section 5.7).
func newUUID() string {
	var id [16]byte
	_, _ = rand.Read(id[8:]) // it never fails
	binary.BigEndian.PutUint64(id[:], uint64(time.Now().UnixMilli())<<16)
	_, _ = rand.Read(id[6:8])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], id[0:4])
	hex.Encode(s[9:13], id[4:6])
	hex.Encode(s[14:18], id[6:8])
	hex.Encode(s[19:23], id[8:10])
	hex.Encode(s[24:36], id[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
