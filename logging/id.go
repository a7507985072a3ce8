package logging

import (
	"encoding/hex"
	"math/rand/v2"
	"time"
)

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

// newID is a UUIDv7 (RFC 9562 section 5.7) for a request that began at t: 48
// bits of milliseconds and 74 random ones. math/rand/v2 draws them from a
// ChaCha8 that the runtime seeds; an id is no secret, and crypto/rand costs a
// system call's worth.
func newID(t time.Time) string {
	hi, lo := rand.Uint64(), rand.Uint64()
	ms := uint64(t.UnixMilli()) //nolint:gosec // after 1970
	var u [16]byte
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = 0x70 | byte(hi>>8)&0x0f
	u[7] = byte(hi)
	for i := range 8 {
		u[8+i] = byte(lo >> (56 - 8*i))
	}
	u[8] = 0x80 | u[8]&0x3f
	var s [36]byte
	hex.Encode(s[0:8], u[0:4])
	hex.Encode(s[9:13], u[4:6])
	hex.Encode(s[14:18], u[6:8])
	hex.Encode(s[19:23], u[8:10])
	hex.Encode(s[24:36], u[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
