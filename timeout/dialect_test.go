package timeout_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/timeout"
)

const bad = time.Duration(-1) // in a table: an error

// The gRPC protocol: TimeoutValue, at most 8 digits, then TimeoutUnit
// (grpc/grpc, doc/PROTOCOL-HTTP2.md).
var grpcVectors = []struct {
	in   string
	want time.Duration
}{
	{"1H", time.Hour},
	{"1M", time.Minute},
	{"1S", time.Second},
	{"1m", time.Millisecond},
	{"1u", time.Microsecond},
	{"1n", time.Nanosecond},
	{"0S", 0},
	{"00000000n", 0},
	{"00000001S", time.Second},
	{"99999999n", 99999999 * time.Nanosecond},
	{"99999999u", 99999999 * time.Microsecond},
	{"99999999m", 99999999 * time.Millisecond},
	{"8760H", timeout.MaxBudget},
	{"-1S", 0}, // spent
	{"-99999999H", 0},
	{"8761H", bad}, // absurd
	{"99999999S", bad},
	{"99999999M", bad},
	{"99999999H", bad},
	{"123456789n", bad}, // nine digits
	{"000000001S", bad},
	{"", bad},
	{"S", bad},
	{"1", bad},
	{"-S", bad},
	{"--1S", bad},
	{"+1S", bad},
	{"1s", bad},
	{"1h", bad},
	{"1ms", bad},
	{"1.5S", bad},
	{"1 S", bad},
	{" 1S", bad},
	{"1S ", bad},
	{"0x1S", bad},
	{"1_0S", bad},
	{"1e3S", bad},
	{"١S", bad}, // a digit, but not an ASCII one
	{"\x001S", bad},
}

// Envoy's format and ours: whole milliseconds.
var millisVectors = []struct {
	in   string
	want time.Duration
}{
	{"1", time.Millisecond},
	{"0", 0},
	{"000", 0},
	{"1500", 1500 * time.Millisecond},
	{"0001500", 1500 * time.Millisecond},
	{"31536000000", timeout.MaxBudget},
	{"-1", 0},
	{"-9223372036854775808", 0},
	{"31536000001", bad},
	{"9223372036854775807", bad},
	{"9223372036854775808", bad},
	{"18446744073709551617", bad},
	{"99999999999999999999999999", bad},
	{"", bad},
	{"-", bad},
	{"+1", bad},
	{"1.5", bad},
	{"1ms", bad},
	{"1S", bad},
	{" 1", bad},
	{"1, 2", bad},
	{"Infinity", bad},
	{"NaN", bad},
	{"0x10", bad},
}

func TestParseBudget(t *testing.T) {
	check := func(t *testing.T, in string, want, got time.Duration, err error) {
		t.Helper()
		if want == bad {
			assert.Error(t, err, "%q is %v", in, got)
			return
		}
		assert.NoError(t, err, "%q", in)
		assert.Equal(t, want, got, "%q", in)
	}
	for _, tc := range grpcVectors {
		got, err := timeout.ParseGRPC(tc.in)
		check(t, tc.in, tc.want, got, err)
	}
	for _, tc := range millisVectors {
		got, err := timeout.ParseMillis(tc.in)
		check(t, tc.in, tc.want, got, err)
	}
}

// Both formats round up, because rounding down could turn a small budget into a spent
// one.
func TestFormatBudget(t *testing.T) {
	for _, tc := range []struct {
		in           time.Duration
		grpc, millis string
	}{
		{1, "1n", "1"},
		{999999, "999999n", "1"},
		{time.Millisecond, "1000000n", "1"},
		{time.Millisecond + 1, "1000001n", "2"},
		{99999999, "99999999n", "100"},
		{100000000, "100000u", "100"},
		{100000001, "100001u", "101"},
		{time.Second, "1000000u", "1000"},
		{99999999 * time.Microsecond, "99999999u", "100000"},
		{99999999*time.Microsecond + 1, "100000m", "100000"},
		{time.Hour, "3600000m", "3600000"},
		{99999999*time.Millisecond + 1, "100000S", "100000000"},
		{timeout.MaxBudget, "31536000S", "31536000000"},
		{99999999*time.Second + 1, "1666667M", "99999999001"},
		{1<<63 - 1, "2562048H", "9223372036855"},
	} {
		assert.Equal(t, tc.grpc, timeout.FormatBudget("Grpc-Timeout", tc.in), "%v", tc.in)
		assert.Equal(t, tc.millis, timeout.FormatBudget("X-Request-Timeout-Ms", tc.in), "%v", tc.in)
	}
}

// For any input, the parser returns an error or a valid budget. A budget that is
// formatted and parsed again is no shorter, and longer only by rounding.
func FuzzParseGRPC(f *testing.F) {
	for _, tc := range grpcVectors {
		f.Add(tc.in)
	}
	f.Fuzz(func(t *testing.T, in string) { parses(t, in, timeout.ParseGRPC, "Grpc-Timeout") })
}

func FuzzParseMillis(f *testing.F) {
	for _, tc := range millisVectors {
		f.Add(tc.in)
	}
	f.Fuzz(func(t *testing.T, in string) { parses(t, in, timeout.ParseMillis, "X-Request-Timeout-Ms") })
}

func parses(t *testing.T, in string, parse func(string) (time.Duration, error), header string) {
	t.Helper()
	d, err := parse(in)
	if err != nil {
		assert.Zero(t, d)
		return
	}
	assert.GreaterOrEqual(t, d, time.Duration(0))
	assert.LessOrEqual(t, d, timeout.MaxBudget)
	text := timeout.FormatBudget(header, d)
	again, err := parse(text)
	assert.NoError(t, err, text)
	assert.Equal(t, d, again, "%q became %q", in, text)
}

func FuzzFormatBudget(f *testing.F) {
	f.Add(int64(1))
	f.Add(int64(time.Hour))
	f.Fuzz(func(t *testing.T, n int64) {
		d := time.Duration(n)
		if d <= 0 || d > timeout.MaxBudget {
			t.Skip()
		}
		for header, parse := range map[string]func(string) (time.Duration, error){
			"Grpc-Timeout": timeout.ParseGRPC, "X-Request-Timeout-Ms": timeout.ParseMillis,
		} {
			text := timeout.FormatBudget(header, d)
			again, err := parse(text)
			assert.NoError(t, err, text)
			assert.GreaterOrEqual(t, again, d)
			assert.LessOrEqual(t, again-d, max(time.Millisecond, d/1e4), "%v became %q", d, text)
		}
	})
}
