//go:build unix

package examples_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	mib      = 1 << 20
	ada      = `{"name":"Ada","email":"ada@example.org"}`
	jsonType = "application/json"
)

// each runs f for each of the three.
func each(t *testing.T, f func(t *testing.T, name string)) {
	for _, name := range frameworks {
		t.Run(name, func(t *testing.T) { f(t, name) })
	}
}

// call is a request and its result.
type call struct {
	desc       string
	method     string // GET
	path       string
	mediaType  string
	body       string
	chunked    bool // sent without a length
	status     int
	want       string // the whole body
	location   string
	logged     string // in the log record, and nowhere else
	outcome    string
	unrouted   bool // it did not reach the router
	otherRoute bool // the router itself responded
}

var calls = []call{
	{desc: "found", path: "/users/123", status: 200, want: `{"message":"User 123"}`, outcome: "ok"},
	{desc: "longest id", path: "/users/" + strings.Repeat("a", 64), status: 200, want: `{"message":"User ` + strings.Repeat("a", 64) + `"}`},
	{desc: "not found", path: "/users/404", status: 404, want: `{"error":"not found"}`, logged: "no such user"},
	{desc: "id with a dot", path: "/users/a.b", status: 400, want: `{"error":"invalid id"}`},
	{desc: "id with a space", path: "/users/a%20b", status: 400, want: `{"error":"invalid id"}`},
	{desc: "id too long", path: "/users/" + strings.Repeat("a", 65), status: 400, want: `{"error":"invalid id"}`},
	{desc: "internal error", path: "/users/boom", status: 500, want: `{"error":"internal"}`, logged: "db-1.internal:5432: password authentication failed", outcome: "error"},
	{desc: "created", method: "POST", path: "/users", mediaType: jsonType, body: ada, status: 201, want: `{"message":"User 1"}`, location: "/users/1", outcome: "ok"},
	{desc: "created, with a charset", method: "POST", path: "/users", mediaType: jsonType + "; charset=utf-8", body: ada, status: 201, want: `{"message":"User 2"}`, location: "/users/2"},
	// Exactly the limit passes: what is wrong then is the JSON.
	{desc: "at the limit, declared", method: "POST", path: "/users", mediaType: jsonType, body: strings.Repeat("x", mib), status: 400, want: `{"error":"The body is not valid JSON.","errors":[{"pointer":"","detail":"is not valid JSON"}]}`},
	{desc: "at the limit, chunked", method: "POST", path: "/users", mediaType: jsonType, body: strings.Repeat("x", mib), chunked: true, status: 400, want: `{"error":"The body is not valid JSON.","errors":[{"pointer":"","detail":"is not valid JSON"}]}`},
	{desc: "invalid", method: "POST", path: "/users", mediaType: jsonType, body: `{"name":" ","email":"ada"}`, status: 422,
		want: `{"error":"invalid user","errors":[{"pointer":"/name","detail":"is required"},{"pointer":"/email","detail":"is not an e-mail address"}]}`},
	{desc: "one invalid field", method: "POST", path: "/users", mediaType: jsonType, body: `{"name":"` + strings.Repeat("ä", 101) + `","email":"ada@example.org"}`, status: 422,
		want: `{"error":"invalid user","errors":[{"pointer":"/name","detail":"has more than 100 characters"}]}`},
	{desc: "not JSON", method: "POST", path: "/users", mediaType: jsonType, body: `{"name":`, status: 400, want: `{"error":"The body ends before the JSON does.","errors":[{"pointer":"/name","detail":"The body ends before the JSON does."}]}`},
	{desc: "JSON of another shape", method: "POST", path: "/users", mediaType: jsonType, body: `{"name":7}`, status: 400, want: `{"error":"The value at /name has the wrong type: it must be a string, not a number.","errors":[{"pointer":"/name","detail":"has the wrong type: it must be a string, not a number"}]}`},
	{desc: "more than one value", method: "POST", path: "/users", mediaType: jsonType, body: ada + ada, status: 400, want: `{"error":"The body has more than one JSON value.","errors":[{"pointer":"","detail":"The body has more than one JSON value."}]}`},
	{desc: "no body", method: "POST", path: "/users", mediaType: jsonType, status: 400, want: `{"error":"The body is empty.","errors":[{"pointer":"","detail":"The body is empty."}]}`},
	{desc: "another media type", method: "POST", path: "/users", mediaType: "text/plain", body: ada, status: 415, want: `{"error":"The Content-Type must be application/json."}`},
	{desc: "no media type", method: "POST", path: "/users", body: ada, status: 415, want: `{"error":"The Content-Type must be application/json."}`},
	{desc: "too large, declared", method: "POST", path: "/users", mediaType: jsonType, body: ada + strings.Repeat(" ", mib), status: 413, want: `{"error":"request entity too large"}`, outcome: "refused", unrouted: true},
	{desc: "too large, chunked", method: "POST", path: "/users", mediaType: jsonType, body: ada + strings.Repeat(" ", mib), chunked: true, status: 413, want: `{"error":"request entity too large"}`},
	{desc: "no such route", path: "/nowhere", status: 404, otherRoute: true},
	{desc: "no such method", method: "DELETE", path: "/users/123", status: 405, otherRoute: true},
}

func TestCalls(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		// A busy machine takes more than 100 ms for a mebibyte under the race detector.
		p := serve(t, name, "-latency", "1ms", "-timeout", patience.String())
		for _, c := range calls {
			t.Run(c.desc, func(t *testing.T) { c.run(t, p) })
		}
		p.stop(t)
	})
}

func TestDeadline(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		p := serve(t, name, "-latency", "120ms")
		for _, c := range []call{
			{desc: "slow query", path: "/users/123", status: 504, want: `{"error":"timeout"}`, outcome: "deadline"},
			{desc: "slow insert", method: "POST", path: "/users", mediaType: jsonType, body: ada, status: 504, want: `{"error":"timeout"}`, outcome: "deadline"},
			{desc: "too late to be not found", path: "/users/404", status: 504, want: `{"error":"timeout"}`, outcome: "deadline"},
		} {
			t.Run(c.desc, func(t *testing.T) { c.run(t, p) })
		}
		p.stop(t)
	})
}

// TestNoQuery: what is refused does not wait for the store.
func TestNoQuery(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		p := serve(t, name, "-latency", "1h", "-timeout", patience.String())
		for _, c := range []call{
			{desc: "id", path: "/users/a.b", status: 400, want: `{"error":"invalid id"}`},
			{desc: "user", method: "POST", path: "/users", mediaType: jsonType, body: "{}", status: 422,
				want: `{"error":"invalid user","errors":[{"pointer":"/name","detail":"is required"},{"pointer":"/email","detail":"is not an e-mail address"}]}`},
		} {
			t.Run(c.desc, func(t *testing.T) { c.run(t, p) })
		}
		p.stop(t)
	})
}

func (c call) run(t *testing.T, p *process) {
	res, body := c.send(t, p)
	raw, line := p.logged(t)
	assert.Equal(t, res.Request.Method, line.Method)
	assert.Equal(t, res.Request.URL.Path, line.Path)
	assert.Equal(t, res.StatusCode, line.Status)
	assert.Equal(t, len(body), line.BodySize)
	assert.Equal(t, res.Header.Get("X-Request-Id"), line.RequestID)
	assert.NotEmpty(t, line.RequestID)
	c.check(t, res, body, raw, line)
}

func (c call) send(t *testing.T, p *process) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+p.addr+c.path, c.reader())
	require.NoError(t, err)
	if c.mediaType != "" {
		req.Header.Set("Content-Type", c.mediaType)
	}
	res, err := p.client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

func (c call) check(t *testing.T, res *http.Response, body, raw string, line logLine) {
	t.Helper()
	assert.Equal(t, c.status, res.StatusCode)
	assert.Equal(t, c.location, res.Header.Get("Location"))
	if !c.otherRoute {
		assert.Equal(t, c.want, body)
		assert.Contains(t, res.Header.Get("Content-Type"), jsonType)
	}
	if !c.otherRoute && !c.unrouted {
		assert.Contains(t, []string{"/users", "/users/{id}", "/users/:id"}, line.Route)
	}
	if c.outcome != "" {
		assert.Equal(t, c.outcome, line.Outcome)
	}
	if c.logged != "" {
		assert.Contains(t, raw, c.logged)
		assert.NotContains(t, body, c.logged)
	}
}

func (c call) reader() io.Reader {
	switch {
	case c.chunked:
		return struct{ io.Reader }{strings.NewReader(c.body)}
	case c.body == "":
		return http.NoBody
	default:
		return strings.NewReader(c.body)
	}
}
