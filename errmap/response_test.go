package errmap_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

func response(status int, contentType, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {contentType}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func fromResponse(t *testing.T, res *http.Response) errmap.Problem {
	t.Helper()
	var p *errmap.Problem
	require.ErrorAs(t, errmap.FromResponse(res), &p)
	assert.True(t, p.Remote())
	return *p
}

func TestFromResponse(t *testing.T) {
	const problem = "application/problem+json"
	for _, tt := range []struct {
		desc string
		res  *http.Response
		want errmap.Problem
	}{
		{
			"everything", response(422, problem+"; charset=utf-8", `{"type":"https://x/y","title":"T","status":422,"detail":"D","instance":"/i","code":"c",`+
				`"errors":[{"pointer":"/a","detail":"b"}],"balance":3,"x":{"y":[1]}}`),
			errmap.Problem{
				Status: 422, Type: "https://x/y", Title: "T", Detail: "D", Instance: "/i", Code: "c", Fields: []errmap.FieldError{{"/a", "b"}},
				Extensions: map[string]any{"balance": 3.0, "x": map[string]any{"y": []any{1.0}}},
			},
		},
		{"the wire's status counts", response(404, problem, `{"status":200}`), errmap.Problem{Status: 404}},
		{"wrong types are extensions", response(404, problem, `{"type":1,"title":["x"],"detail":{},"code":null,"errors":"no","status":"x"}`), errmap.Problem{Status: 404, Extensions: map[string]any{
			"type": 1.0, "title": []any{"x"}, "detail": map[string]any{}, "errors": "no",
		}}},
		{"ErrorJSON's form", response(404, "application/json", `{"error":"not found"}`), errmap.Problem{Status: 404, Detail: "not found"}},
		{"some vendor's JSON", response(404, "application/vnd.x+json", `{"detail":"d","error":1}`), errmap.Problem{Status: 404, Detail: "d", Extensions: map[string]any{"error": 1.0}}},
		{"ASP.NET's errors", response(400, problem, `{"title":"T","status":400,"errors":{"Name":["The Name field is required."]},"traceId":"00-1"}`), errmap.Problem{
			Status: 400, Title: "T",
			Extensions: map[string]any{"errors": map[string]any{"Name": []any{"The Name field is required."}}, "traceId": "00-1"},
		}},
		{"errors that are texts", response(400, problem, `{"errors":["a","b"]}`), errmap.Problem{Status: 400, Extensions: map[string]any{"errors": []any{"a", "b"}}}},
		{"errors of another shape", response(400, problem, `{"errors":[{"status":"422","source":{"pointer":"/data"}}]}`), errmap.Problem{
			Status: 400, Extensions: map[string]any{"errors": []any{map[string]any{"status": "422", "source": map[string]any{"pointer": "/data"}}}},
		}},
		{"a code that is a number", response(400, problem, `{"code":40401}`), errmap.Problem{Status: 400, Code: "40401", Extensions: map[string]any{"code": 40401.0}}},
		{"numbers of 64 bits", response(400, problem, `{"id":9007199254740993,"n":[1,0.1,1e400]}`), errmap.Problem{
			Status: 400, Extensions: map[string]any{"id": json.Number("9007199254740993"), "n": []any{1.0, 0.1, json.Number("1e400")}},
		}},
		{"a byte order mark", response(400, problem, "\ufeff{\"detail\":\"d\"}"), errmap.Problem{Status: 400, Detail: "d"}},
		{"a byte order mark before a text", response(400, "text/plain", "\ufeffd"), errmap.Problem{Status: 400, Detail: "d"}},
		{"a huge Retry-After", response(503, problem, "", "Retry-After", "99999999999999999999999"), errmap.Problem{Status: 503, RetryAfter: 9223372036 * time.Second}},
		{"a negative Retry-After", response(503, problem, "", "Retry-After", "-5"), errmap.Problem{Status: 503}},
		{"an array", response(404, problem, `[1]`), errmap.Problem{Status: 404}},
		{"broken JSON", response(404, problem, `{"detail":"d"`), errmap.Problem{Status: 404}},
		{"nothing", response(500, problem, ``), errmap.Problem{Status: 500}},
		{"null", response(500, problem, `null`), errmap.Problem{Status: 500}},
		{"text", response(500, "text/plain; charset=utf-8", " went wrong\n"), errmap.Problem{Status: 500, Detail: "went wrong"}},
		{"long text", response(500, "text/plain", strings.Repeat("x", 1025)), errmap.Problem{Status: 500}},
		{"text that is none", response(500, "text/plain", "\xff"), errmap.Problem{Status: 500}},
		{"HTML", response(500, "text/html", "<h1>x</h1>"), errmap.Problem{Status: 500}},
		{"no type", response(500, "", `{"detail":"d"}`), errmap.Problem{Status: 500}},
		{"seconds", response(503, "", "", "Retry-After", "120"), errmap.Problem{Status: 503, RetryAfter: 2 * time.Minute}},
		{"too many seconds", response(503, "", "", "Retry-After", "9223372036854775807"), errmap.Problem{Status: 503, RetryAfter: 9223372036 * time.Second}},
		{"negative seconds", response(503, "", "", "Retry-After", "-1"), errmap.Problem{Status: 503}},
		{
			"a date", response(503, "", "", "Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT", "Date", "Sun, 06 Nov 1994 08:49:30 GMT"),
			errmap.Problem{Status: 503, RetryAfter: 7 * time.Second},
		},
		{"a date that has passed", response(503, "", "", "Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"), errmap.Problem{Status: 503}},
		{"a status past the end", response(999, "", ""), errmap.Problem{Status: 999}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			got := fromResponse(t, tt.res)
			assert.EqualExportedValues(t, tt.want, got)
			assert.Equal(t, 502, mapper().Problem(get(), &got).Status, "a remote problem is not ours")
		})
	}
}

func TestFromResponseWithoutAnError(t *testing.T) {
	for _, status := range []int{101, 200, 204, 302, 399} {
		require.NoError(t, errmap.FromResponse(&http.Response{StatusCode: status}))
	}
	require.ErrorContains(t, errmap.FromResponse(nil), "the response is nil")
	assert.Equal(t, 404, fromResponse(t, &http.Response{StatusCode: 404}).Status, "no body at all")
}

// endless is a body that never ends. It records how much of it was read and whether it
// was closed.
type endless struct {
	n      int
	closed bool
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.n += len(p)
	return len(p), nil
}

func (e *endless) Close() error {
	e.closed = true
	return nil
}

func TestFromResponseIsBounded(t *testing.T) {
	body := &endless{}
	res := response(500, "application/problem+json", "")
	res.Body = body
	assert.EqualExportedValues(t, errmap.Problem{Status: 500}, fromResponse(t, res))
	assert.LessOrEqual(t, body.n, 1<<20+1)
	assert.False(t, body.closed, "closing is the caller's")

	exactly := `{"detail":"d"}` + strings.Repeat(" ", 1<<20-14)
	assert.Equal(t, "d", fromResponse(t, response(500, "application/json", exactly)).Detail)
	assert.Empty(t, fromResponse(t, response(500, "application/json", exactly+" ")).Detail)

	res = response(500, "application/json", "")
	res.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"detail":"d"}`), errReader{}))
	assert.Empty(t, fromResponse(t, res).Detail, "half a body is none")
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("reset") }

// FromResponse returns the Problem that ProblemJSON sent.
func TestRoundTrip(t *testing.T) {
	sent := errmap.Problem{
		Status: 409, Type: "https://x/y", Title: "T", Detail: "D <é>", Code: "c", RetryAfter: 90 * time.Second,
		Fields: []errmap.FieldError{{"/a~1b", "x"}}, Extensions: map[string]any{"n": 1.0, "s": []any{"x"}},
	}
	testhttp.EachServer(t, mapper().Handler(fails(&sent)), func(t *testing.T, srv *testhttp.Server) {
		res, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		defer res.Body.Close()
		assert.EqualExportedValues(t, sent, fromResponse(t, res))
	})
}

func TestProblemIsAnError(t *testing.T) {
	for want, p := range map[string]*errmap.Problem{
		"404 Not Found": {Status: 404}, "404 Gone fishing (fish): no": {Status: 404, Title: "Gone fishing", Code: "fish", Detail: "no"},
		"599 Status 599": {Status: 599}, "<nil>": nil,
	} {
		assert.EqualError(t, p, want)
		assert.False(t, p.Remote())
	}
	assert.EqualError(t, errmap.FromResponse(response(404, "text/plain", "x")), "remote: 404 Not Found: x")
}

// The body of an error response is valid JSON in valid UTF-8 and has the content of the
// problem, for any problem.
func FuzzJSON(f *testing.F) {
	f.Add("type", "title", "detail", "code", "/pointer", "name", []byte(`{"a":1}`))
	f.Add("about:blank", "\xff", "<script>\u2028", "\x00", "\\\"", "Status", []byte("\"\xff\""))
	f.Add("", "", "", "", "", "", []byte("{"))
	f.Fuzz(func(t *testing.T, typ, title, detail, code, pointer, name string, raw []byte) {
		p := errmap.Problem{
			Status: 400, Type: typ, Title: title, Detail: detail, Code: code, Fields: []errmap.FieldError{{pointer, detail}},
			Extensions: map[string]any{name: json.RawMessage(raw), name + "2": detail},
		}
		for desc, m := range map[string]*errmap.Mapper{"ProblemJSON": mapper(), "ErrorJSON": errorJSON()} {
			rec := serve(m.Handler(fails(&p)), get())
			body := rec.Body.Bytes()
			require.True(t, json.Valid(body), "%s: %q", desc, body)
			require.True(t, utf8.Valid(body), "%s: %q", desc, body)
			var doc struct {
				Status int                 `json:"status"`
				Detail string              `json:"detail"`
				Errors []errmap.FieldError `json:"errors"`
			}
			if rec.Code == 500 {
				continue // the extension was not JSON
			}
			d := json.NewDecoder(bytes.NewReader(body))
			require.NoError(t, d.Decode(&doc), "%q", body)
			require.Equal(t, valid(pointer), doc.Errors[0].Pointer)
			if desc == "ProblemJSON" {
				require.Equal(t, 400, doc.Status, "%q", body)
				require.Equal(t, valid(detail), doc.Detail)
			}
		}
	})
}

// valid is s with each invalid byte replaced, as encoding/json does it.
func valid(s string) string {
	return string([]rune(s))
}

func FuzzFromResponse(f *testing.F) {
	for _, s := range []string{`{"type":"a","status":1,"errors":[{"pointer":"/a"}],"x":1}`, `{"error":"x"}`, `[`, `null`, `"x"`} {
		f.Add(404, "application/problem+json", "1", []byte(s))
	}
	f.Add(503, "text/plain", "Sun, 06 Nov 1994 08:49:37 GMT", []byte("x"))
	f.Fuzz(func(t *testing.T, status int, contentType, after string, body []byte) {
		res := response(status, contentType, string(body), "Retry-After", after)
		err := errmap.FromResponse(res)
		if status < 400 {
			require.NoError(t, err)
			return
		}
		var p *errmap.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, status, p.Status)
		require.GreaterOrEqual(t, p.RetryAfter, time.Duration(0))
		require.True(t, utf8.ValidString(p.Error()))
		// A rule that passes it on sends it.
		passOn := mapper(errmap.As(func(p *errmap.Problem) errmap.Problem { return *p }))
		rec := serve(passOn.Handler(fails(err)), get())
		require.True(t, json.Valid(rec.Body.Bytes()))
	})
}
