package logging_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
)

func schemaRequest() *http.Request {
	r := httptest.NewRequest("PROPFIND", "http://example.com/users/7?a=1", nil)
	r.Header.Set("User-Agent", "curl/8")
	r.Header.Set("X-Request-Id", "id1")
	r.Header.Set("Accept", "a")
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	return r
}

func schemaHandler(w http.ResponseWriter, r *http.Request) {
	r.Pattern = "GET example.com/users/{id}"
	w.WriteHeader(500)
	_, _ = w.Write([]byte("hello"))
}

// keysOf is the log record without what differs from run to run.
func keysOf(m map[string]any, drop ...string) map[string]any {
	for _, k := range append(drop, "time", "raw", "msg") {
		delete(m, k)
	}
	return m
}

func TestSchemaOTel(t *testing.T) {
	m, _ := serve(t, logging.Config{RequestHeaders: []string{"Accept"}}, schemaRequest(), schemaHandler)
	require.Equal(t, map[string]any{
		"level": "ERROR", "http.request.method": "_OTHER", "http.request.method_original": "PROPFIND",
		"url.path": "/users/7", "url.query": "a=REDACTED", "http.route": "/users/{id}",
		"http.response.status_code": 500.0, "http.request.body.size": 0.0, "http.response.body.size": 5.0,
		"client.address": "192.0.2.1", "user_agent.original": "curl/8", "network.protocol.version": "1.1",
		"request_id": "id1", "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331",
		"outcome": "error", "error.type": "500", "http.request.header.accept": []any{"a"},
	}, keysOf(m, "http.server.request.duration"))
}

func TestSchemaECS(t *testing.T) {
	m, _ := serve(t, logging.Config{Schema: logging.ECS}, schemaRequest(), schemaHandler)
	require.Equal(t, m["event.duration"], float64(int64(m["event.duration"].(float64))), "nanoseconds")
	require.Equal(t, map[string]any{
		"level": "ERROR", "http.request.method": "PROPFIND",
		"url.path": "/users/7", "url.query": "a=REDACTED", "http.route": "/users/{id}",
		"http.response.status_code": 500.0, "http.request.body.bytes": 0.0, "http.response.body.bytes": 5.0,
		"client.address": "192.0.2.1", "client.ip": "192.0.2.1", "user_agent.original": "curl/8", "http.version": "1.1",
		"http.request.id": "id1", "trace.id": "0af7651916cd43dd8448eb211c80319c", "span.id": "b7ad6b7169203331",
		"outcome": "error", "event.outcome": "failure", "error.type": "500",
	}, keysOf(m, "event.duration"))
}

func TestSchemaGCP(t *testing.T) {
	m, _ := serve(t, logging.Config{Schema: logging.GCP, GCPProject: "p1"}, schemaRequest(), schemaHandler)
	g := m["httpRequest"].(map[string]any)
	require.Regexp(t, `^0\.\d{9}s$`, g["latency"])
	delete(g, "latency")
	require.Equal(t, map[string]any{
		"level": "ERROR", "httpRequest": map[string]any{
			"requestMethod": "PROPFIND", "requestUrl": "http://example.com/users/7?a=REDACTED", "status": 500.0,
			"userAgent": "curl/8", "remoteIp": "192.0.2.1", "protocol": "HTTP/1.1",
		},
		"http.route": "/users/{id}", "http.request.body.size": 0.0, "http.response.body.size": 5.0,
		"request_id": "id1", "logging.googleapis.com/trace": "projects/p1/traces/0af7651916cd43dd8448eb211c80319c",
		"logging.googleapis.com/spanId": "b7ad6b7169203331", "logging.googleapis.com/trace_sampled": true,
		"outcome": "error", "error.type": "500",
	}, keysOf(m))
	m, _ = serve(t, logging.Config{Schema: logging.GCP}, schemaRequest(), schemaHandler)
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", m["trace_id"])
}

func TestProtocolVersions(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		s := start(t, p, func(http.ResponseWriter, *http.Request) {})
		err := s.Get(t, "/").Err
		require.NoError(t, err)
		want := "1.1"
		if p == testhttp.HTTP2 {
			want = "2"
		}
		require.Equal(t, want, s.lines.next(t)["network.protocol.version"])
	})
	s := start(t, testhttp.HTTP1, func(http.ResponseWriter, *http.Request) {})
	require.NoError(t, s.Misbehaving().HTTP10(t, s.Request(t, http.MethodGet, "/", nil)).Err)
	require.Equal(t, "1.0", s.lines.next(t)["network.protocol.version"])
}

func TestRoutes(t *testing.T) {
	for pattern, want := range map[string]any{
		"/users/{id}": "/users/{id}", "GET /users/{id}": "/users/{id}", "GET example.com/": "/",
		"example.com/a": "/a", "/users/:id": "/users/:id", "": nil, "POST \t/x": "/x",
	} {
		m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, r *http.Request) {
			r.Pattern = pattern
		})
		require.Equal(t, want, m["http.route"], pattern)
	}
}

// A middleware that passes on its own request hides the route. It can set the pattern
// itself.
func TestRouteBehindAnotherRequest(t *testing.T) {
	type key struct{}
	for _, schema := range []logging.Schema{logging.OTel, logging.ECS, logging.GCP} {
		var rec logging.Record
		mux := http.NewServeMux()
		mux.HandleFunc("GET /users/{id}", func(http.ResponseWriter, *http.Request) {})
		m, _ := serve(t, logging.Config{Schema: schema, OnRecord: func(_ context.Context, r logging.Record) { rec = r }},
			httptest.NewRequest("GET", "/users/7", nil), func(w http.ResponseWriter, r *http.Request) {
				r = r.WithContext(context.WithValue(r.Context(), key{}, 1))
				mux.ServeHTTP(w, r)
				logging.Add(r.Context(), slog.String("http.route", r.Pattern))
			})
		require.Equal(t, "/users/{id}", m["http.route"])
		require.Equal(t, "/users/{id}", rec.Route)
	}
}

func TestWrongConfigNamesEveryBadField(t *testing.T) {
	require.PanicsWithValue(t, `logging: Schema must be OTel, ECS or GCP; Slow must not be negative; `+
		`RequestIDHeader "a b" is not a valid header name; RequestHeaders: "x:" is not a valid header name; GCPProject "a/b" is not a valid project id`,
		func() {
			logging.New(logging.Config{Schema: 9, Slow: -1, RequestIDHeader: "a b", RequestHeaders: []string{"x:"}, GCPProject: "a/b"})
		})
	require.PanicsWithValue(t, "logging: Schema must be OTel, ECS or GCP", func() { logging.NewTransport(logging.TransportConfig{Schema: 9}) })
}
