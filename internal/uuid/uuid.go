// Package uuid makes and recognizes the ids of requests and problem documents.
package uuid

import (
	"math/rand/v2"
	"time"
)

// New returns a UUIDv7 (RFC 9562 section 5.7) for something that began at t. It has
// 48 bits of milliseconds since 1970 and 74 random bits. A time that does not fit into
// 48 bits is clamped.
//
// The random bits come from math/rand/v2, a ChaCha8 generator that the runtime
// seeds. An id is not a secret, and crypto/rand costs about as much as a system
// call.
func New(t time.Time) string {
	const maxMilli = 1<<48 - 1
	milli := uint64(min(max(t.UnixMilli(), 0), maxMilli))
	hi := milli<<16 | 0x7000 | rand.Uint64()&0x0fff
	lo := 1<<63 | rand.Uint64()>>2
	var s [36]byte
	put(s[0:8], hi>>32)
	s[8] = '-'
	put(s[9:13], hi>>16)
	s[13] = '-'
	put(s[14:18], hi)
	s[18] = '-'
	put(s[19:23], lo>>48)
	s[23] = '-'
	put(s[24:36], lo)
	return string(s[:])
}

// put fills dst with the lowest hexadecimal digits of v. It writes two digits at a
// time.
func put(dst []byte, v uint64) {
	for i := len(dst) - 2; i >= 0; i -= 2 {
		at := v & 0xff * 2
		dst[i], dst[i+1] = pairs[at], pairs[at+1]
		v >>= 8
	}
}

// pairs are the hexadecimal digits of all bytes.
const pairs = "" +
	"000102030405060708090a0b0c0d0e0f" +
	"101112131415161718191a1b1c1d1e1f" +
	"202122232425262728292a2b2c2d2e2f" +
	"303132333435363738393a3b3c3d3e3f" +
	"404142434445464748494a4b4c4d4e4f" +
	"505152535455565758595a5b5c5d5e5f" +
	"606162636465666768696a6b6c6d6e6f" +
	"707172737475767778797a7b7c7d7e7f" +
	"808182838485868788898a8b8c8d8e8f" +
	"909192939495969798999a9b9c9d9e9f" +
	"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf" +
	"b0b1b2b3b4b5b6b7b8b9babbbcbdbebf" +
	"c0c1c2c3c4c5c6c7c8c9cacbcccdcecf" +
	"d0d1d2d3d4d5d6d7d8d9dadbdcdddedf" +
	"e0e1e2e3e4e5e6e7e8e9eaebecedeeef" +
	"f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

// Valid reports whether s is a UUID of any version in the form of RFC 9562
// section 4: 8-4-4-4-12 hexadecimal digits in either case.
func Valid(s string) bool {
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
