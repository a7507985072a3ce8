package logging

import (
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
	hi := uint64(t.UnixMilli())<<16 | 0x7000 | rand.Uint64()&0x0fff
	lo := 1<<63 | rand.Uint64()>>2
	var s [36]byte
	putHex(s[0:8], hi>>32)
	s[8] = '-'
	putHex(s[9:13], hi>>16)
	s[13] = '-'
	putHex(s[14:18], hi)
	s[18] = '-'
	putHex(s[19:23], lo>>48)
	s[23] = '-'
	putHex(s[24:36], lo)
	return string(s[:])
}

// putHex writes the lowest digits of v.
func putHex(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = "0123456789abcdef"[v&0xf]
		v >>= 4
	}
}
