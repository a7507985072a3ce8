package logging_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
)

// endlessValuer resolves to itself, groupValuer to endless groups.
type endlessValuer struct{ n int }

func (e endlessValuer) LogValue() slog.Value { return slog.AnyValue(endlessValuer{e.n + 1}) }

type groupValuer struct{}

func (groupValuer) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("a", groupValuer{}), slog.Any("b", groupValuer{}))
}

type list struct {
	Name string
	Next *list
}

func TestAddedValues(t *testing.T) {
	const secret = "s3cr3t"
	cyclicMap := map[string]any{}
	cyclicMap["self"] = cyclicMap
	cyclicList := &list{Name: "a"}
	cyclicList.Next = cyclicList
	cyclicSlice := make([]any, 1)
	cyclicSlice[0] = cyclicSlice
	long := &list{}
	for range 100_000 {
		long = &list{Next: long}
	}
	req := httptest.NewRequest("POST", "/?k="+secret, strings.NewReader(secret))
	req.Header.Set("Authorization", "Bearer "+secret)
	location, err := url.Parse("https://u:" + secret + "@h/p?k=" + secret + "&page=2#" + secret)
	require.NoError(t, err)
	var nilURL *url.URL
	var nilErr *panicky
	header := http.Header{"Authorization": {secret}, "Accept": {"text/html"}}
	for _, tt := range []struct {
		desc string
		v    any
		want any
	}{
		{"a map with a cycle", cyclicMap, "map[string]interface {}, which is too large or has a cycle"},
		{"a pointer with a cycle", cyclicList, "*logging_test.list, which is too large or has a cycle"},
		{"a slice with a cycle", cyclicSlice, "[]interface {}, which is too large or has a cycle"},
		{"a long list", long, "*logging_test.list, which is too large or has a cycle"},
		{"a million numbers", make([]int, 1_000_000), "[]int, which is too large or has a cycle"},
		{"a huge byte slice", make([]byte, 1<<20), "[]uint8, which is too large or has a cycle"},
		{"a huge RawMessage", json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`), fmt.Sprintf("%T, which is too large or has a cycle", json.RawMessage(nil))},
		{"a request", req, "*http.Request, which is not logged"},
		{"a copy of a request", *req, "http.Request, which is not logged"},
		{"a struct with a request", struct{ R *http.Request }{req}, "struct { R *http.Request }, which has no JSON form"},
		{"a response", &http.Response{Header: header}, "*http.Response, which is not logged"},
		{"a context", context.WithValue(t.Context(), secretKey{}, secret), "*context.valueCtx, which is not logged"},
		{"a function", func() {}, "func(), which has no JSON form"},
		{"a channel", make(chan int), "chan int, which has no JSON form"},
		{"a complex number", complex(1, 2), "complex128, which has no JSON form"},
		{"a map with keys that JSON has not", map[struct{ A int }]int{{1}: 1}, "map[struct { A int }]int, which has no JSON form"},
		{"not a number", math.NaN(), "NaN"},
		{"infinity", math.Inf(1), "+Inf"},
		{"not a number in a list", []float64{math.NaN()}, "[]float64, which has no JSON form"},
		{"a year that JSON has not", time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), "12000-01-01T00:00:00Z"},
		{"a header", header, map[string]any{"Accept": []any{"text/html"}, "Authorization": []any{"REDACTED"}}},
		{"a header in a struct", struct{ H http.Header }{header}, map[string]any{"H": map[string]any{"Accept": []any{"text/html"}, "Authorization": "REDACTED"}}},
		{"a cookie", &http.Cookie{Name: "sid", Value: secret}, "REDACTED"},
		{"a URL", location, "https://REDACTED:REDACTED@h/p?k=REDACTED&page=2#REDACTED"},
		{"a URL by value", *location, "https://REDACTED:REDACTED@h/p?k=REDACTED&page=2#REDACTED"},
		{"a URL as text", location.String(), "https://REDACTED:REDACTED@h/p?k=REDACTED&page=2#REDACTED"},
		{"a URL's user", location.User, "REDACTED"},
		{"a query", url.Values{"k": {secret}, "page": {"2"}}, "k=REDACTED&page=2"},
		{"URLs in a list", []string{location.String(), "a & b"}, []any{"https://REDACTED:REDACTED@h/p?k=REDACTED&page=2#REDACTED", "a & b"}},
		{"a URL in a map", map[string]string{"u": `"` + location.String() + `"`}, map[string]any{"u": `"https://REDACTED:REDACTED@h/p?k=REDACTED&page=2#REDACTED"`}},
		{"a nil URL", nilURL, "*url.URL, which panics when it is encoded"},
		{"a nil error", nilErr, "*logging_test.panicky, which panics when it is printed"},
		{"an error", errors.New("at " + location.String()), "at https://REDACTED:REDACTED@h/p?k=REDACTED&page=2#REDACTED"},
		{"nil", nil, nil},
		{"a struct", struct {
			A int `json:"a"`
			b string
		}{1, secret}, map[string]any{"a": 1.0}},
		{"a LogValuer without end", endlessValuer{}, "logging_test.endlessValuer, whose LogValue methods have no end"},
		{"a LogValuer of a request", requestValuer{req}, map[string]any{"r": "*http.Request, which is not logged"}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			m, _ := serve(t, logging.Config{QueryKeys: []string{"page"}, RequestHeaders: []string{"Accept"}}, httptest.NewRequest("GET", "/", nil),
				func(_ http.ResponseWriter, r *http.Request) {
					logging.Add(r.Context(), slog.Any("v", tt.v))
					logging.Add(r.Context(), slog.Group("g", slog.Any("v", tt.v)))
				})
			require.NotContains(t, m["raw"], secret)
			require.Equal(t, tt.want, m["v"])
			if tt.v != nil {
				require.Equal(t, map[string]any{"v": tt.want}, m["g"])
			}
		})
	}
}

type secretKey struct{}

type requestValuer struct{ r *http.Request }

func (v requestValuer) LogValue() slog.Value { return slog.GroupValue(slog.Any("r", v.r)) }

func TestEndlessGroupIsTruncated(t *testing.T) {
	m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, r *http.Request) {
		logging.Add(r.Context(), slog.Any("v", groupValuer{}), slog.Int("n", 1))
	})
	require.Equal(t, "ok", m["outcome"])
	require.NotZero(t, m["dropped_attributes"])
	require.LessOrEqual(t, len(m["raw"].(string)), 16<<10)
}

// Elasticsearch refuses a document with an object that has a name twice, so such an
// object is written as text. Redaction makes names equal.
func TestNamesInAValueAreUnique(t *testing.T) {
	m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, r *http.Request) {
		logging.Add(r.Context(),
			slog.Any("calls", map[string]int{"https://h/?k=1": 1, "https://h/?k=2": 2}),
			slog.Any("raw_", []any{json.RawMessage(`{"a":{"b":1,"b":2}}`)}),
			slog.Any("fine", map[string]any{"a": map[string]int{"a": 1}, "b": []any{map[string]int{"a": 1}, map[string]int{"a": 2}}}),
			slog.Any("header", http.Header{"https://u:s3cr3t@h": {"s3cr3t"}}))
	})
	require.Equal(t, `{"https://h/?k=REDACTED":1,"https://h/?k=REDACTED":2}`, m["calls"])
	require.Equal(t, `[{"a":{"b":1,"b":2}}]`, m["raw_"])
	require.IsType(t, map[string]any{}, m["fine"])
	require.Equal(t, map[string]any{"https://REDACTED:REDACTED@h": []any{"REDACTED"}}, m["header"])
}

// The value of a panic is not printed by package fmt either.
func TestValueOfAPanic(t *testing.T) {
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	req := httptest.NewRequest("GET", "/", nil)
	req.Header.Set("Authorization", "s3cr3t")
	for _, tt := range []struct {
		desc string
		v    any
		want string
	}{
		{"a cycle", cyclic, "map[string]interface {}, which is too large or has a cycle"},
		{"a request", req, "*http.Request, which is not logged"},
		{"a number", 42, "42"},
		{"a struct", struct{ A int }{1}, `{"A":1}`},
		{"a text with a URL", "at https://u:s3cr3t@h", "at https://REDACTED:REDACTED@h"},
		{"an error that panics", &panicky{}, "*logging_test.panicky, which panics when it is printed"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			l := newLines()
			require.Panics(t, func() {
				logging.New(logging.Config{Logger: l.logger()})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(tt.v) })).
					ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			})
			m := l.next(t)
			require.Equal(t, tt.want, m["exception.message"])
			require.NotContains(t, m["raw"], "s3cr3t")
		})
	}
}
