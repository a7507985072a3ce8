package logging_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
)

// unique fails if a name occurs twice in an object of a JSON text.
func unique(t *testing.T, raw string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(raw))
	var object func()
	value := func() {
		tok, err := d.Token()
		require.NoError(t, err)
		switch tok {
		case json.Delim('{'):
			object()
		case json.Delim('['):
			for d.More() {
				var v any
				require.NoError(t, d.Decode(&v))
			}
			_, err = d.Token()
			require.NoError(t, err)
		}
	}
	object = func() {
		seen := map[string]bool{}
		for d.More() {
			tok, err := d.Token()
			require.NoError(t, err)
			key := fmt.Sprint(tok)
			require.False(t, seen[key], "%q is there twice: %s", key, raw)
			require.NotEmpty(t, key)
			seen[key] = true
			value()
		}
		_, err := d.Token()
		require.NoError(t, err)
	}
	value()
}

func TestNamesAreUnique(t *testing.T) {
	for _, tt := range []struct {
		desc  string
		attrs []any
		want  map[string]any
	}{
		{"twice", []any{slog.Int("a", 1), slog.Int("a", 2)}, map[string]any{"a": 2.0}},
		{"the record's own", []any{slog.String("outcome", "x"), slog.Int("http.response.status_code", 200), slog.String("request_id", "x")},
			map[string]any{"outcome": "error", "http.response.status_code": 500.0, "dropped_attributes": 3.0}},
		{"slog's", []any{slog.String("time", "x"), slog.String("level", "x"), slog.String("msg", "x"), slog.String("source", "x")},
			map[string]any{"level": "ERROR", "msg": "http request", "dropped_attributes": 4.0}},
		{"a group without a name", []any{slog.Group("", slog.String("outcome", "ok"), slog.Int("a", 1))}, map[string]any{"outcome": "error", "a": 1.0}},
		{"groups without names", []any{slog.Group("", slog.Group("", slog.String("level", "x"), slog.Int("a", 1))), slog.Int("a", 2)}, map[string]any{"level": "ERROR", "a": 2.0}},
		{"a valuer without a name", []any{slog.Any("", groupOf{slog.String("msg", "x"), slog.Int("a", 1)})}, map[string]any{"msg": "http request", "a": 1.0}},
		{"a group twice", []any{slog.Group("g", slog.Int("a", 1), slog.Int("b", 1)), slog.Group("g", slog.Int("a", 2), slog.Int("c", 2))},
			map[string]any{"g": map[string]any{"a": 2.0, "b": 1.0, "c": 2.0}}},
		{"twice in a group", []any{slog.Group("g", slog.Int("a", 1), slog.Group("", slog.Int("a", 2)), slog.Group("h", slog.Int("a", 1)), slog.Group("h", slog.Int("b", 1)))},
			map[string]any{"g": map[string]any{"a": 2.0, "h": map[string]any{"a": 1.0, "b": 1.0}}}},
		{"a group and a value", []any{slog.Int("g", 1), slog.Group("g", slog.Int("a", 1))}, map[string]any{"g": map[string]any{"a": 1.0}}},
		{"a group for one of the record's own", []any{slog.Group("outcome", slog.Int("a", 1))}, map[string]any{"outcome": "error", "dropped_attributes": 1.0}},
		{"the record's own, as a path", []any{slog.Group("http", slog.Group("response", slog.Int("status_code", 200), slog.Int("mine", 1)))},
			map[string]any{"http": map[string]any{"response": map[string]any{"mine": 1.0}}, "dropped_attributes": 1.0}},
		{"a value in place of a path", []any{slog.Int("http", 1), slog.Int("http.request", 1)}, map[string]any{"http": nil, "dropped_attributes": 2.0}},
		{"below one of the record's own", []any{slog.Int("outcome.x", 1)}, map[string]any{"outcome.x": nil}},
		{"the count", []any{slog.Int("dropped_attributes", 7), slog.Int("msg", 1)}, map[string]any{"dropped_attributes": 2.0}},
		{"no name", []any{slog.Int("", 1), slog.Int("", 2), slog.Attr{}}, map[string]any{"dropped_attributes": 2.0}},
		{"names that become the same", []any{slog.Int("a\n", 1), slog.Int(`a\n`, 2)}, map[string]any{`a\n`: 2.0}},
		{"a listed header's", []any{slog.Int("http.request.header.accept", 1)}, map[string]any{"http.request.header.accept": []any{"*/*"}}},
		{"an empty group", []any{slog.Group("g", slog.Group("h"))}, map[string]any{"g": nil}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			for _, prepared := range []bool{false, true} { // slog's own handler, and another around it
				l := newLines()
				var h slog.Handler = l
				if prepared {
					h = l.Handler
				}
				cfg := logging.Config{Logger: slog.New(h), RequestHeaders: []string{"Accept"}}
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set("Accept", "*/*")
				logging.New(cfg)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					for _, a := range tt.attrs {
						logging.Add(r.Context(), a.(slog.Attr))
					}
					w.WriteHeader(500)
				})).ServeHTTP(httptest.NewRecorder(), r)
				raw := string(l.buf.take())
				unique(t, raw)
				m := map[string]any{}
				require.NoError(t, json.Unmarshal([]byte(raw), &m))
				for k, v := range tt.want {
					require.Equal(t, v, m[k], "%s: %s", k, raw)
				}
			}
		})
	}
}

type groupOf []slog.Attr

func (g groupOf) LogValue() slog.Value { return slog.GroupValue(g...) }

// The names by which the schemas call slog's message are taken, too.
func TestNamesOfTheSchemas(t *testing.T) {
	for _, s := range []logging.Schema{logging.ECS, logging.GCP} {
		m, _ := serve(t, logging.Config{Schema: s}, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, r *http.Request) {
			logging.Add(r.Context(), slog.String("message", "x"))
		})
		require.NotContains(t, m, "message")
		require.EqualValues(t, 1, m["dropped_attributes"])
	}
}

// A prepared handler and one that gets every attribute write the same record.
func TestPreparedRecordsSayTheSame(t *testing.T) {
	for _, schema := range []logging.Schema{logging.OTel, logging.ECS, logging.GCP} {
		for _, status := range []int{200, 404, 500} {
			for _, method := range []string{"GET", "POST", "BREW"} {
				var lines [2]map[string]any
				for i, h := range []func(slog.Handler) slog.Handler{func(h slog.Handler) slog.Handler { return h }, func(h slog.Handler) slog.Handler { return struct{ slog.Handler }{h} }} {
					var b bytes.Buffer
					log := logging.New(logging.Config{Schema: schema, Logger: slog.New(h(slog.NewJSONHandler(&b, nil)))})
					mux := http.NewServeMux()
					mux.HandleFunc("/users/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
					for range 2 { // the first prepares, the second finds
						b.Reset()
						r := httptest.NewRequest(method, "/users/7?k=v", nil)
						r.Header.Set("X-Request-Id", "id")
						log(mux).ServeHTTP(httptest.NewRecorder(), r)
					}
					unique(t, b.String())
					require.NoError(t, json.Unmarshal(b.Bytes(), &lines[i]))
					for _, k := range []string{"time", "http.server.request.duration", "event.duration"} {
						delete(lines[i], k)
					}
					if g, ok := lines[i]["httpRequest"].(map[string]any); ok {
						delete(g, "latency")
					}
				}
				require.Equal(t, lines[1], lines[0])
			}
		}
	}
}

// The prepared handlers are derived from the handler that slog.Default has.
func TestPreparedHandlersFollowTheDefault(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	h := logging.New(logging.Config{})(jsonMux())
	for i := range 3 {
		var b bytes.Buffer
		slog.SetDefault(slog.New(slog.NewJSONHandler(&b, nil).WithAttrs([]slog.Attr{slog.Int("n", i)})))
		for range 2 {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/users/7", nil))
		}
		require.Equal(t, 2, strings.Count(b.String(), fmt.Sprintf(`"n":%d,"http.request.method":"GET","http.route":"/users/{id}"`, i)), b.String())
	}
}

// A client that sends made-up methods, and a handler with made-up routes, do not fill
// the memory, and every record is written.
func TestPreparedHandlersAreBounded(t *testing.T) {
	var b bytes.Buffer
	made := 0
	h := logging.New(logging.Config{Schema: logging.ECS, Logger: slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == "outcome" {
				made++
			}
			return a
		},
	}))})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logging.Add(r.Context(), slog.String("http.route", r.URL.Path))
	}))
	for i := range 600 {
		for range 2 {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", fmt.Sprintf("/%d", i), nil))
		}
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(fmt.Sprintf("M%d", i), "/", nil))
	}
	require.Equal(t, 1800, strings.Count(b.String(), "\n"))
	require.Equal(t, 512+(600-512)*2+600, made, "512 are prepared, all others written with each record")
}
