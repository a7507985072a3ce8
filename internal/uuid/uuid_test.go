package uuid_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/uuid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var version7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// milli returns the time in an id.
func milli(t *testing.T, id string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.ReplaceAll(id[:13], "-", ""), 16, 64)
	require.NoError(t, err)
	return n
}

func TestNewHasTheTime(t *testing.T) {
	for _, tt := range []struct {
		desc string
		at   time.Time
		want int64
	}{
		{"the example of RFC 9562 appendix A.6", time.Date(2022, 2, 22, 14, 22, 22, 0, time.FixedZone("", -5*3600)), 0x017F22E279B0},
		{"the epoch", time.UnixMilli(0), 0},
		{"every digit", time.UnixMilli(0x0123456789ab), 0x0123456789ab},
		{"microseconds are cut off", time.UnixMicro(1_999), 1},
		{"before the epoch", time.UnixMilli(-1), 0},
		{"the zero time", time.Time{}, 0},
		{"after the last", time.UnixMilli(1 << 48), 1<<48 - 1},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			id := uuid.New(tt.at)
			require.Regexp(t, version7, id)
			require.True(t, uuid.Valid(id))
			require.Equal(t, tt.want, milli(t, id))
		})
	}
}

func TestNewIsUniqueAndSortsByTime(t *testing.T) {
	seen := map[string]bool{}
	last := ""
	for i := range 10_000 {
		id := uuid.New(time.UnixMilli(int64(i)))
		require.False(t, seen[id], id)
		require.Greater(t, id, last)
		seen[id], last = true, id
	}
}

// Each of the 74 random bits must be both set and unset in some id, and the others are
// fixed.
func TestNewDrawsAllRandomBits(t *testing.T) {
	var ones, zeros [32]uint64
	for range 1000 {
		for i, c := range strings.ReplaceAll(uuid.New(time.UnixMilli(0)), "-", "") {
			n, err := strconv.ParseUint(string(c), 16, 8)
			require.NoError(t, err)
			ones[i] |= n
			zeros[i] |= ^n & 0xf
		}
	}
	for i := range 32 {
		want := uint64(0xf)
		switch {
		case i <= 12: // the time and the version
			want = 0
		case i == 16: // the variant
			want = 0b0011
		}
		require.Equal(t, want, ones[i]&zeros[i], "digit %d", i)
	}
}

func TestValid(t *testing.T) {
	for _, tt := range []struct {
		desc, s string
		want    bool
	}{
		{"version 7", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", true},
		{"upper case", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", true},
		{"version 4", "919108f7-52d1-4320-9bac-f847db4148a8", true},
		{"nil", "00000000-0000-0000-0000-000000000000", true},
		{"empty", "", false},
		{"too short", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", false},
		{"too long", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", false},
		{"as a URN", "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f", false},
		{"in braces", "{17f22e2-79b0-7cc3-98c4-dc0c0c073989}", false},
		{"no hyphens", "017f22e279b07cc398c4dc0c0c07398f0000", false},
		{"a hyphen elsewhere", "017f22e-279b0-7cc3-98c4-dc0c0c07398f", false},
		{"a letter that is no digit", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", false},
		{"a line break", "017f22e2-79b0-7cc3-98c4-dc0c0c07398\n", false},
	} {
		t.Run(tt.desc, func(t *testing.T) { require.Equal(t, tt.want, uuid.Valid(tt.s)) })
	}
}

func TestNewAllocatesTheStringOnly(t *testing.T) {
	now := time.Now()
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { uuid.New(now) }), 1.0)
}

func BenchmarkNew(b *testing.B) {
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		uuid.New(now)
	}
}
