package exchange

import (
	"math/rand/v2"
	"time"
)

// NewID is a UUIDv7 (RFC 9562 section 5.7) for something that began at t: 48
// bits of milliseconds and 74 random ones. math/rand/v2 draws them from a
// ChaCha8 that the runtime seeds; an id is no secret, and crypto/rand costs a
// system call's worth.
func NewID(t time.Time) string {
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
