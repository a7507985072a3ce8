package errtree_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/errtree"
)

func TestQuote(t *testing.T) {
	for _, tt := range []struct {
		desc, s string
		max     int
		want    string
	}{
		{"plain", "dial tcp: refused", 100, "dial tcp: refused"},
		{"a forged line", "boom\n2026/01/01 http: panic serving", 100, `boom\n2026/01/01 http: panic serving`},
		{"what terminals obey", "a\x1b[2Jb\x00\x7f\r", 100, `a\x1b[2Jb\x00\x7f\r`},
		{"C1 and separators", "a\u0085b\u2028c\u2029\u202e", 100, `a\u0085b\u2028c\u2029\u202e`},
		{"no UTF-8", "a\xffb", 100, `a\xffb`},
		{"other scripts", "größe 大", 100, "größe 大"},
		{"quotes and backslashes", `a "b" \c`, 100, `a "b" \c`},
		{"exactly the limit", "abcdef", 6, "abcdef"},
		{"too long", "abcdefg", 6, "abcdef... (7 bytes)"},
		{"cut between runes", "abcdé", 5, "abcd... (6 bytes)"},
		{"empty", "", 5, ""},
	} {
		t.Run(tt.desc, func(t *testing.T) { assert.Equal(t, tt.want, errtree.Quote(tt.s, tt.max)) })
	}
	assert.Less(t, len(errtree.Quote(strings.Repeat("\x00", 1<<20), 1000)), 5000)
}
