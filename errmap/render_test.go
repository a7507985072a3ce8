package errmap_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/errmap"
)

func TestErrorJSON(t *testing.T) {
	for _, tt := range []struct {
		desc   string
		err    error
		status int
		want   string
	}{
		{"the text of the status", errNotFound, 404, `{"error":"not found"}`},
		{"wrapped", fmt.Errorf("loading: %w", errNotFound), 404, `{"error":"not found"}`},
		{"an error without a rule", errSecret, 500, `{"error":"internal"}`},
		{"a deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), 504, `{"error":"timeout"}`},
		{"a title", &errmap.Problem{Status: 409, Title: "Version conflict"}, 409, `{"error":"Version conflict"}`},
		{"a detail before a title", &errmap.Problem{Status: 409, Title: "T", Detail: "D"}, 409, `{"error":"D"}`},
		{"a code is not shown", &errmap.Problem{Status: 404, Code: "user_not_found"}, 404, `{"error":"not found"}`},
		{"nor is that of a 500 of the user's", &errmap.Problem{Status: 500, Code: "broken"}, 500, `{"error":"internal server error"}`},
		{"too large", &http.MaxBytesError{Limit: 1}, 413, `{"error":"request entity too large"}`},
		{"bad JSON", json.Unmarshal([]byte("{"), new(int)), 400, `{"error":"bad request"}`},
		{"a status without a text", &errmap.Problem{Status: 599}, 599, `{"error":"status 599"}`},
		{
			"fields", &errmap.Problem{Status: 422, Fields: []errmap.FieldError{{"/name", "is required"}, {"/age", `"x" < 0`}}}, 422,
			`{"error":"unprocessable entity","errors":[{"pointer":"/name","detail":"is required"},{"pointer":"/age","detail":"\"x\" \u003c 0"}]}`,
		},
		{"extensions are not shown", &errmap.Problem{Status: 404, Extensions: map[string]any{"x": func() {}}}, 404, `{"error":"not found"}`},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			errs := errorJSON(errmap.Is(errNotFound, errmap.Problem{Status: 404}))
			r := post("application/json", "{")
			r.Header.Set("Accept", "text/plain")
			rec := serve(errs.Handler(fails(tt.err)), r)
			assert.Equal(t, tt.status, rec.Code)
			assert.Equal(t, tt.want, rec.Body.String())
			assert.Equal(t, "application/json", rec.Header().Get("Content-Type"))
			assert.Empty(t, rec.Header().Get("Vary"))
		})
	}
}

func TestProblemJSON(t *testing.T) {
	for _, tt := range []struct {
		desc   string
		p      errmap.Problem
		status int
		want   string
	}{
		{"the least", errmap.Problem{Status: 404}, 404, `{"title":"Not Found","status":404}`},
		{"about:blank is left out", errmap.Problem{Status: 404, Type: "about:blank"}, 404, `{"title":"Not Found","status":404}`},
		{
			"everything", errmap.Problem{
				Status: 422, Type: "https://example.com/invalid", Title: "Invalid", Detail: "no good", Instance: "/users/1", Code: "invalid",
				Fields: []errmap.FieldError{{"/a~1b", "bad"}}, Extensions: map[string]any{"z": 1, "balance": 3.5, "list": []int{1}},
			}, 422,
			`{"type":"https://example.com/invalid","title":"Invalid","status":422,"detail":"no good","instance":"/users/1","code":"invalid",` +
				`"errors":[{"pointer":"/a~1b","detail":"bad"}],"balance":3.5,"list":[1],"z":1}`,
		},
		{
			"extensions shadow nothing", errmap.Problem{Status: 404, Extensions: map[string]any{
				"status": 200, "Status": 200, "title": "x", "TYPE": "x", "detail": "x", "instance": "x", "code": "x", "errors": 1, "ſtatus": 200, "ok": true,
			}}, 404, `{"title":"Not Found","status":404,"ok":true}`,
		},
		{"escapes", errmap.Problem{Status: 400, Detail: "a\"\\\n\r\t\x00\x7f<>&\u2028\u2029é\xff😀"}, 400,
			`{"title":"Bad Request","status":400,"detail":"a\"\\\n\r\t\u0000` + "\x7f" + `\u003c\u003e\u0026\u2028\u2029é\ufffd😀"}`},
		{"raw JSON that is not UTF-8", errmap.Problem{Status: 400, Extensions: map[string]any{"r": json.RawMessage("\"\xff\"")}}, 400,
			`{"title":"Bad Request","status":400,"r":"` + "\ufffd" + `"}`},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			rec := serve(mapper().Handler(fails(&tt.p)), get())
			assert.Equal(t, tt.status, rec.Code)
			assert.Equal(t, tt.want, rec.Body.String())
			assert.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
			assert.Equal(t, "Accept", rec.Header().Get("Vary"))
			assert.Equal(t, "nosniff", rec.Header().Get("X-Content-Type-Options"))
		})
	}
}

type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("boom") }

func TestUnencodable(t *testing.T) {
	loop := map[string]any{}
	loop["self"] = loop
	for desc, v := range map[string]any{
		"a channel": make(chan int), "not a number": math.NaN(), "a panic": explosive{}, "a cycle": loop, "raw": json.RawMessage("{"),
	} {
		t.Run(desc, func(t *testing.T) {
			s := newSpy()
			h := s.wrap(mapper().Handler(fails(&errmap.Problem{
				Status: 409, Detail: "d", RetryAfter: time.Second, Header: http.Header{"Www-Authenticate": {"Basic"}},
				Extensions: map[string]any{"a": 1, "b": v},
			})))
			rec := serve(h, get())
			var doc map[string]any
			assert.NoError(t, json.Unmarshal(rec.Body.Bytes(), &doc))
			assert.Equal(t, 500, rec.Code)
			assert.EqualValues(t, 500, doc["status"])
			assert.Contains(t, doc["instance"], "urn:uuid:")
			assert.NotContains(t, doc, "detail")
			assert.NotContains(t, doc, "a")
			assert.Empty(t, rec.Header().Get("Retry-After"))
			assert.Empty(t, rec.Header().Get("Www-Authenticate"))
			e := <-s.ended
			assert.ErrorContains(t, e.Cause, `extension "b" cannot be encoded`)
			assert.Equal(t, "urn:uuid:"+e.ProblemID, doc["instance"])
		})
	}
}
