package errmap_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

type input struct {
	Name  string            `json:"name"`
	Count int8              `json:"count"`
	Rate  float64           `json:"rate"`
	OK    bool              `json:"ok"`
	Tags  []string          `json:"tags"`
	Items []struct{ N int } `json:"items"`
	More  map[string]int    `json:"more"`
	At    time.Time         `json:"at"`
	Raw   []byte            `json:"raw"`
	Inner nested            `json:"inner"`
	IP    net.IP            `json:"ip"`
}

// nested decodes by itself, so offsets in its errors do not count from the beginning.
type nested struct{ v int }

func (n *nested) UnmarshalJSON(b []byte) error {
	var s struct{ A, B, C int }
	err := json.Unmarshal(b, &s)
	n.v = s.A
	return err
}

func decodeInput(r *http.Request) (input, error) {
	var v input
	return v, errmap.DecodeJSON(r, &v)
}

func TestDecodeJSONPointsToTheMistake(t *testing.T) {
	const wrong = "has the wrong type: it must be "
	for _, tt := range []struct{ desc, body, pointer, reason string }{
		{"a string for an integer", `{"count":"x"}`, "/count", wrong + "an integer, not a string"},
		{"with space around it", "{ \"ok\" : true ,\n\t\"count\"  :  \"x\" }", "/count", wrong + "an integer, not a string"},
		{"an object for a string", `{"name":{"count":1}}`, "/name", wrong + "a string, not an object"},
		{"an array for an object", `[1]`, "", wrong + "an object, not an array"},
		{"a string for an object", `"s"`, "", wrong + "an object, not a string"},
		{"a number for a boolean", `{"name":"x","ok":1}`, "/ok", wrong + "a boolean, not a number"},
		{"a boolean for a number", `{"rate":false}`, "/rate", wrong + "a number, not a bool"},
		{"out of range", `{"count":1000}`, "/count", wrong + "an integer within the range of values"},
		{"a fraction", `{"count":1.5}`, "/count", wrong + "an integer within the range of values"},
		{"in an array", `{"tags":["a","b",3]}`, "/tags/2", wrong + "a string, not a number"},
		{"deep", `{"items":[{"N":1},{"N":[]}]}`, "/items/1/N", wrong + "an integer, not an array"},
		{"in a map", `{"more":{"a.b":1,"c/d~":"x"}}`, "/more/c~1d~0", wrong + "an integer, not a string"},
		{"in another letter case", `{"COUNT":"x"}`, "/COUNT", wrong + "an integer, not a string"},
		{"after a repeated member", `{"count":1,"count":"x"}`, "/count", wrong + "an integer, not a string"},
		{"bytes", `{"raw":5}`, "/raw", wrong + "a string, not a number"},
		{"a value of JSON that is broken", `{"name":}`, "/name", "is not valid JSON"},
		{"broken in an array", `{"tags":["a",}`, "/tags/1", "is not valid JSON"},
		{"a comma too many", `{"name":"x",}`, "", "is not valid JSON"},
		{"a line break in a string", "{\"name\":\"a\nb\"}", "/name", "is not valid JSON"},
		{"HTML", `<html>`, "", "is not valid JSON"},
		{"a byte order mark", "\ufeff{}", "", "is not valid JSON"},
		{"truncated", `{"name":"x"`, "", "The body ends before the JSON does."},
		{"truncated in a value", `{"tags":["a","b`, "/tags/1", "The body ends before the JSON does."},
		{"truncated literal", `{"ok":tru`, "/ok", "The body ends before the JSON does."},
		{"empty", "", "", "The body is empty."},
		{"white space", " \r\n\t", "", "The body is empty."},
		{"two values", `{"name":"x"}{"name":"y"}`, "", "The body has more than one JSON value."},
		{"something behind", `{"name":"x"} x`, "", "The body has more than one JSON value."},
		{"a value that its type refuses", `{"at":"yesterday"}`, "", "A value is not one that is accepted here."},
		{"a type that decodes by itself", `{"count":1,"inner":{"A":"x"}}`, "", "A value " + wrong + "an integer, not a string."},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			_, err := decodeInput(post("application/json", tt.body))
			var p *errmap.Problem
			require.ErrorAs(t, err, &p)
			assert.Equal(t, 400, p.Status)
			assert.Equal(t, "invalid_json", p.Code)
			assert.Equal(t, []errmap.FieldError{{Pointer: tt.pointer, Detail: tt.reason}}, p.Fields)
			assert.NotContains(t, p.Detail, "Go ")
			assert.True(t, strings.HasSuffix(p.Detail, "."), p.Detail)
		})
	}
}

func TestDecodeJSONAccepts(t *testing.T) {
	for _, contentType := range []string{
		"application/json", "Application/JSON; charset=UTF-8", "application/vnd.x+json", "application/problem+json; charset=\"utf-8\"; v=1",
	} {
		t.Run(contentType, func(t *testing.T) {
			var v input
			require.NoError(t, errmap.DecodeJSON(post(contentType, " {\"name\":\"x\",\"unknown\":1} \n"), &v))
			assert.Equal(t, "x", v.Name)
		})
	}
	_, err := decodeInput(post("application/json", `{"raw":"*"}`))
	var p *errmap.Problem
	require.ErrorAs(t, err, &p)
	assert.Contains(t, p.Detail, "that is accepted here.", "where it is depends on the Go release")
	var v any
	require.NoError(t, errmap.DecodeJSON(post("application/json", "null"), &v))
}

func TestDecodeJSONRefusesOtherTypes(t *testing.T) {
	for _, contentType := range []string{
		"text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/json; charset=iso-8859-1", "json", "application/json, text/plain", "",
	} {
		t.Run(contentType, func(t *testing.T) {
			rec := serve(errorJSON().Handler(func(_ http.ResponseWriter, r *http.Request) error {
				_, err := decodeInput(r)
				return err
			}), post(contentType, "{}"))
			assert.Equal(t, 415, rec.Code)
			assert.Equal(t, "application/json", rec.Header().Get("Accept"))
			assert.Equal(t, `{"error":"The Content-Type must be application/json."}`, rec.Body.String())
		})
	}
	r := post("application/json", "{}")
	r.Header.Add("Content-Type", "text/plain")
	assert.Equal(t, 415, mapper().Problem(r, errmap.DecodeJSON(r, new(input))).Status, "two of them")
	r = post("", "{}")
	r.Header.Del("Content-Type")
	assert.Equal(t, 415, mapper().Problem(r, errmap.DecodeJSON(r, new(input))).Status, "none")
	r = httptest.NewRequest(http.MethodPost, "/", nil)
	assert.Equal(t, 400, mapper().Problem(r, errmap.DecodeJSON(r, new(input))).Status, "no body, either")
}

// Errors of reading the body are passed on.
func TestDecodeJSONPassesOnReadErrors(t *testing.T) {
	r := post("application/json", `{"name":"x"}`)
	r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 5)
	_, err := decodeInput(r)
	var tooLarge *http.MaxBytesError
	require.ErrorAs(t, err, &tooLarge)
	assert.Equal(t, 413, mapper().Problem(r, err).Status)

	r.Body = io.NopCloser(iotest.ErrReader(errSecret))
	_, err = decodeInput(r)
	assert.ErrorIs(t, err, errSecret)

	var p *errmap.Problem
	err = errmap.DecodeJSON(post("application/json", "{}"), input{})
	require.Error(t, err)
	assert.NotErrorAs(t, err, &p, "a handler's mistake")
	assert.Equal(t, 500, mapper().Problem(post("application/json", "{}"), err).Status)
	r.Body = nil
	assert.Equal(t, 400, mapper().Problem(r, errmap.DecodeJSON(r, new(input))).Status)
}

func TestDecodeJSONOnTheWire(t *testing.T) {
	h := mapper().Handler(func(_ http.ResponseWriter, r *http.Request) error {
		_, err := decodeInput(r)
		return err
	})
	s := newSpy()
	testhttp.EachServer(t, s.wrap(h), func(t *testing.T, srv *testhttp.Server) {
		res, err := srv.Client().Post(srv.URL, "application/json", strings.NewReader(`{"tags":["a",2]}`))
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Equal(t, 400, res.StatusCode)
		assert.JSONEq(t, `{"title":"Bad Request","status":400,"code":"invalid_json",
			"detail":"The value at /tags/1 has the wrong type: it must be a string, not a number.",
			"errors":[{"pointer":"/tags/1","detail":"has the wrong type: it must be a string, not a number"}]}`, string(body))
		var mistyped *json.UnmarshalTypeError
		assert.ErrorAs(t, (<-s.ended).Cause, &mistyped, "the cause is in the log record")
	})
}

// FuzzDecodeJSON compares DecodeJSON with json.Unmarshal, and checks that its pointers
// lead to a value.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{"count":"x"}`, `{"tags":["a",2]}`, `{"more":{"a/b":"x"}}`, `{`, `{} x`, `[1]`, "", `{"items":[{"N":1},{"N":"x"}]}`, `{"inner":{"A":"x"}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var v, want input
		err := errmap.DecodeJSON(post("application/json", body), &v)
		plain := json.Unmarshal([]byte(body), &want)
		require.Equal(t, plain == nil, err == nil)
		if err == nil {
			return
		}
		var p *errmap.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, 400, p.Status)
		require.Len(t, p.Fields, 1)
		var mistyped *json.UnmarshalTypeError
		var doc any
		if pointer := p.Fields[0].Pointer; errors.As(plain, &mistyped) && pointer != "" && json.Unmarshal([]byte(body), &doc) == nil {
			require.True(t, leads(doc, pointer), "%q leads nowhere in %s", pointer, body)
		}
	})
}

// leads reports whether a JSON pointer leads to a value.
func leads(doc any, pointer string) bool {
	for step := range strings.SplitSeq(pointer[1:], "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch d := doc.(type) {
		case map[string]any:
			v, ok := d[step]
			if !ok {
				return false
			}
			doc = v
		case []any:
			i := 0
			for _, c := range step {
				i = i*10 + int(c-'0')
			}
			if i >= len(d) {
				return false
			}
			doc = d[i]
		default:
			return false
		}
	}
	return true
}
