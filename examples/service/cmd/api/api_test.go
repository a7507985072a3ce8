//go:build unix

package main_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/examples/service/internal/servers"
)

// TestAPI is the same service on each of its stores.
func TestAPI(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		environ func(t *testing.T) []string
	}{
		{"SQLite", func(*testing.T) []string { return nil }},
		{"PostgreSQL", func(t *testing.T) []string { return []string{"DATABASE_URL=" + servers.Database(t)} }},
		{"PostgreSQL and Redis", func(t *testing.T) []string {
			return []string{"DATABASE_URL=" + servers.Database(t), "REDIS_URL=" + servers.Cache(t, 15)}
		}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			p := serve(t, tc.environ(t), "-request.timeout", "30s")
			contract(t, p)
			p.stop(t)
			assert.Zero(t, p.count(func(l line) bool { return l.Level == "ERROR" || l.Level == "WARN" }))
		})
	}
}

func contract(t *testing.T, p *process) {
	t.Helper()
	user := p.mustCreate(t, "one", "one@example.org")
	id := strings.TrimPrefix(user, "/users/")
	message := `{"message":"User ` + id + `"}`
	assert.Equal(t, user, p.mustCreate(t, "one", "one@example.org"), "the same key is the same user")
	for _, tc := range []struct {
		method, path, body string
		key                string
		status             int
		answer             string
	}{
		{"GET", user, "", "", 200, message},
		{"GET", user, "", "", 200, message}, // from the cache, if there is one
		{"GET", "/users/4004", "", "", 404, `{"error":"not found"}`},
		{"GET", "/users/boom", "", "", 400, `{"error":"invalid id"}`},
		{"GET", "/livez", "", "", 200, `{"status":"alive"}`},
		{"GET", "/readyz", "", "", 200, `{"status":"ready"}`},
		{"GET", user + "/reputation", "", "", 404, "404 page not found"},
		{"DELETE", user, "", "", 405, "Method Not Allowed"},
		{"POST", "/users", `{"name":"Eve","email":"eve@example.org"}`, "one", 422, `{"error":"idempotency key was used for another user"}`},
		{"POST", "/users", `{"name":"Ada","email":"one@example.org"}`, "two", 409, `{"error":"e-mail address is taken"}`},
		{"POST", "/users", `{"name":"Ada"}`, "three", 422, `{"error":"invalid user","errors":[{"pointer":"/email","detail":"is not an e-mail address"}]}`},
		{"POST", "/users", `{"name":"Ada"`, "", 400, `{"error":"The body ends before the JSON does.","errors":[{"pointer":"","detail":"The body ends before the JSON does."}]}`},
		{"POST", "/users", `{"name":"` + strings.Repeat("x", 70_000) + `"}`, "", 413, `{"error":"request entity too large"}`},
	} {
		req := p.request(tc.method, tc.path, tc.body)
		if tc.key != "" {
			req.Header.Set("Idempotency-Key", tc.key)
		}
		a, err := p.do(req)
		require.NoError(t, err, tc.path)
		assert.Equal(t, tc.status, a.status, "%s %s", tc.method, tc.path)
		assert.Equal(t, tc.answer, a.body, "%s %s", tc.method, tc.path)
	}
}

// TestFirst starts the service as in a new clone.
func TestFirst(t *testing.T) {
	p := serve(t, nil)
	assert.Equal(t, `{"message":"User 123"}`, p.get(t, "/users/123").body)
	l := p.await(t, func(l line) bool { return l.Path == "/users/123" })
	assert.Equal(t, "/users/{id}", l.Route)
	assert.Equal(t, 200, l.Status)
	assert.Equal(t, "ok", l.Outcome)
	p.stop(t)
}

// TestRestart: what was created is there after a restart.
func TestRestart(t *testing.T) {
	file := t.TempDir() + "/users.db"
	first := serve(t, []string{"DATABASE_URL=sqlite:" + file})
	user := first.mustCreate(t, "one", "one@example.org")
	first.stop(t)
	second := serve(t, []string{"DATABASE_URL=sqlite:" + file})
	assert.Equal(t, 200, second.get(t, user).status)
	assert.Equal(t, user, second.mustCreate(t, "one", "one@example.org"))
	second.stop(t)
}

// TestQuiet: health checks of the platform are logged only if they fail, and are not
// among the requests.
func TestQuiet(t *testing.T) {
	p := serve(t, nil)
	for range 3 {
		for _, path := range []string{"/livez", "/readyz", "/metrics"} {
			assert.Equal(t, 200, p.get(t, path).status)
		}
	}
	assert.Equal(t, 404, p.get(t, "/last").status)
	p.await(t, func(l line) bool { return l.Path == "/last" })
	assert.Equal(t, 1, p.count(func(l line) bool { return l.Message == "http request" }))
	metrics := p.get(t, "/metrics").body
	assert.Regexp(t, `http_server_request_duration_seconds_count\{[^}]*http_response_status_code="200",http_route="/livez",[^}]*\} 3`, metrics)
	assert.Contains(t, metrics, `http_server_active_requests{http_request_method="GET",url_scheme="http"} 1`, "this one")
	p.stop(t)
}

// TestDebug: pprof has its own port, and is not on that of the API.
func TestDebug(t *testing.T) {
	p := serve(t, nil)
	res, err := p.client.Get(p.debug + "/debug/pprof/goroutine?debug=1")
	require.NoError(t, err)
	res.Body.Close()
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, 404, p.get(t, "/debug/pprof/").status)

	p.get(t, "/users/7")
	res, err = p.client.Get(p.debug + "/debug/requests")
	require.NoError(t, err)
	page, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	_ = res.Body.Close()
	assert.Equal(t, 200, res.StatusCode)
	assert.Contains(t, string(page), "GET /users/{id}")
	assert.Equal(t, 404, p.get(t, "/debug/requests").status)
	p.stop(t)
}

// TestIdempotencyTogether: impatient clients send the same key at the same time.
func TestIdempotencyTogether(t *testing.T) {
	p := serve(t, []string{"DATABASE_URL=" + servers.Database(t)}, "-request.timeout", "30s")
	const users = 5
	found := make(chan string, users*8)
	for i := range users {
		for range cap(found) / users {
			go func() {
				n := strconv.Itoa(i)
				a, err := p.create(n, n+"@example.org")
				if err != nil || a.status != http.StatusCreated {
					found <- a.body
					return
				}
				found <- a.header.Get("Location")
			}()
		}
	}
	all := map[string]int{}
	for range cap(found) {
		all[<-found]++
	}
	assert.Len(t, all, users, "%v", all)
	p.stop(t)
}
