package timeout_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/timeout"
)

// Several budgets in one field and in several fields are one list (RFC 9110 section
// 5.3), of which the shortest counts. Invalid ones are ignored.
func TestBudgetLists(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		header http.Header
		want   time.Duration // bad: none
		remark string
	}{
		{"one field", http.Header{"X-Request-Timeout-Ms": {"5000, 2000"}}, 2 * time.Second, ""},
		{"two lines", http.Header{"X-Request-Timeout-Ms": {"5000", "2000"}}, 2 * time.Second, ""},
		{"both", http.Header{"X-Request-Timeout-Ms": {"5000,4000", "3000 ,\t2000"}}, 2 * time.Second, ""},
		{"gRPC", http.Header{"Grpc-Timeout": {"5S,2S"}}, 2 * time.Second, ""},
		{"Envoy", http.Header{"X-Envoy-Expected-Rq-Timeout-Ms": {"5000,2000"}}, 2 * time.Second, ""},
		{"over the dialects", http.Header{"Grpc-Timeout": {"5S,3S"}, "X-Request-Timeout-Ms": {"4000, 2000"}}, 2 * time.Second, ""},
		{"empty elements", http.Header{"X-Request-Timeout-Ms": {", 2000,,"}}, 2 * time.Second, ""},
		{"spent", http.Header{"X-Request-Timeout-Ms": {"5000, 0"}}, 0, ""},
		{"one of them malformed", http.Header{"X-Request-Timeout-Ms": {"soon, 2000"}}, 2 * time.Second, "timeout: ignored X-Request-Timeout-Ms: malformed"},
		{"all malformed", http.Header{"X-Request-Timeout-Ms": {"soon, later", "1h"}}, bad, "timeout: ignored 3 values of X-Request-Timeout-Ms, the first is malformed"},
		{"too large", http.Header{"Grpc-Timeout": {"99999999H"}}, bad, "timeout: ignored Grpc-Timeout: too large"},
		{"nothing in it", http.Header{"Grpc-Timeout": {""}}, bad, "timeout: ignored Grpc-Timeout: malformed"},
		{"only commas", http.Header{"Grpc-Timeout": {" ,, "}}, bad, "timeout: ignored Grpc-Timeout: malformed"},
		{"two headers malformed", http.Header{"Grpc-Timeout": {"x"}, "X-Request-Timeout-Ms": {"y"}}, bad,
			"timeout: ignored Grpc-Timeout: malformed\ntimeout: ignored X-Request-Timeout-Ms: malformed"},
		{"none", http.Header{}, bad, ""},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			got, ok, err := timeout.CallerBudget(tc.header)
			assert.Equal(t, tc.want != bad, ok)
			if ok {
				assert.Equal(t, tc.want, got)
			}
			if tc.remark == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, tc.remark)
			}
		})
	}
}

// Thousands of values, in several fields and in one, leave one remark, and not an error
// for each.
func TestManyBudgets(t *testing.T) {
	const many = 32000
	for _, tc := range []struct {
		desc   string
		header func(n int) http.Header
	}{
		{"lines", func(n int) http.Header {
			h := http.Header{}
			for range n {
				h["Grpc-Timeout"] = append(h["Grpc-Timeout"], "x")
			}
			return h
		}},
		{"one field", func(n int) http.Header { return http.Header{"Grpc-Timeout": {strings.Repeat("x,", n)}} }},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			_, _, err := timeout.CallerBudget(tc.header(many))
			require.Error(t, err)
			assert.Less(t, len(err.Error()), 200)
			h := tc.header(many)
			allocs := testing.AllocsPerRun(5, func() { _, _, _ = timeout.CallerBudget(h) })
			assert.Less(t, allocs, 100.0, "an error for each would be an allocation")
		})
	}
}

// FuzzCallerBudget: for any header of a client, a budget is within bounds, a remark is
// short, and it does not matter how the list is split into fields.
func FuzzCallerBudget(f *testing.F) {
	for _, s := range []string{"5000, 2000", "soon", ",", "0", "-1,\t5", "99999999999999999999", "5S", "1,\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range []string{"Grpc-Timeout", "X-Request-Timeout-Ms"} {
			one, ok, err := timeout.CallerBudget(http.Header{name: {s}})
			if ok && (one < 0 || one > timeout.MaxBudget) {
				t.Errorf("%q is %v", s, one)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("a remark of %d bytes", len(err.Error()))
			}
			two, okToo, _ := timeout.CallerBudget(http.Header{name: strings.Split(s, ",")})
			if one != two || ok != okToo {
				t.Errorf("%q is %v in one field and %v on lines of its own", s, one, two)
			}
		}
	})
}
