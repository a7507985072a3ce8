package logging_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// The names as they are published, read in the sources given, and the part of them that
// a log record may have.
var (
	// open-telemetry/semantic-conventions docs/http/http-spans.md (which takes the
	// rest from docs/registry/attributes), docs/http/http-metrics.md for the two
	// durations, docs/registry/attributes/exception.md and error.md; and the
	// specification's compatibility/logging_trace_context for the trace.
	publishedOTel = []string{
		"http.request.method", "http.request.method_original", "url.path", "url.query", "http.route",
		"http.response.status_code", "http.request.body.size", "http.response.body.size",
		"client.address", "network.peer.address", "user_agent.original", "network.protocol.version",
		"http.request.header.accept", "http.response.header.x-answer", "error.type", "error.message",
		"exception.type", "exception.message", "exception.stacktrace",
		"http.server.request.duration", "http.client.request.duration",
		"url.full", "server.address", "server.port", "trace_id", "span_id",
	}
	// elastic/ecs schemas/*.yml: http, url, client, source, server, user_agent, error,
	// event, tracing; and OpenTelemetry's names for what ECS has no field for.
	publishedECS = []string{
		"http.request.method", "url.path", "url.query", "http.response.status_code",
		"http.request.body.bytes", "http.response.body.bytes", "event.duration", "event.outcome",
		"client.address", "client.ip", "source.address", "source.ip", "user_agent.original", "http.version",
		"http.request.id", "trace.id", "span.id", "error.type", "error.message", "error.stack_trace",
		"url.full", "server.address", "server.port",
		"http.route", "http.request.header.accept", "http.response.header.x-answer", "exception.type", "exception.message",
	}
	// The special fields of structured payloads,
	// cloud.google.com/logging/docs/structured-logging, and OpenTelemetry's for the
	// rest.
	publishedGCP = []string{
		"httpRequest", "logging.googleapis.com/trace", "logging.googleapis.com/spanId", "logging.googleapis.com/trace_sampled",
		"stack_trace", "http.route", "http.request.body.size", "http.response.body.size", "network.peer.address",
		"http.request.header.accept", "http.response.header.x-answer", "error.type", "error.message",
		"exception.type", "exception.message", "http.request.method", "http.response.status_code",
		"http.client.request.duration", "http.server.request.duration", "network.protocol.version",
		"url.full", "server.address", "server.port", "url.path",
	}
	// googleapis/googleapis google/logging/type/http_request.proto, in JSON.
	publishedHTTPRequest = []string{"requestMethod", "requestUrl", "status", "userAgent", "remoteIp", "latency", "protocol"}

	// Our own names, as the documentation of Schema lists them, and what slog writes.
	ownNames = []string{
		"outcome", "status_intended", "abandoned", "handler.stack", "request_id", "request_id_upstream", "problem_id",
		"trace_id", "span_id", "sample_rate", "ttfb", "remarks", "dropped_attributes",
	}
	slogNames = []string{"time", "level", "msg", "raw"}
)

// Every key that is written is published or ours, and every key of the table is
// written.
func TestNamesArePublished(t *testing.T) {
	for schema, published := range map[logging.Schema][]string{
		logging.OTel: publishedOTel, logging.ECS: publishedECS, logging.GCP: publishedGCP,
	} {
		lines := everything(t, schema)
		written := map[string]bool{}
		for _, m := range lines {
			for k := range m {
				written[k] = true
				known := slices.Contains(published, k) || slices.Contains(ownNames, k) || slices.Contains(slogNames, k)
				assert.True(t, known, "schema %d: %s is not published: %s", schema, k, m["raw"])
			}
			if schema == logging.OTel && m["trace_id"] != nil {
				assert.Equal(t, "0af7651916cd43dd8448ebffffffffff", m["trace_id"], "hex, without GCPProject")
			}
			if g, ok := m["httpRequest"].(map[string]any); ok {
				assert.ElementsMatch(t, publishedHTTPRequest, slices.Collect(maps.Keys(g)))
			}
		}
		for _, k := range published {
			assert.True(t, written[k], "schema %d: %s is never written", schema, k)
		}
	}
}

// everything makes log records that together have all keys of a schema.
func everything(t *testing.T, schema logging.Schema) []map[string]any {
	t.Helper()
	l := newLines()
	remote := testhttp.HTTP1.Start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	calls := &http.Client{Transport: logging.NewTransport(logging.TransportConfig{Base: base, Logger: l.logger(), Schema: schema})}
	late := make(chan struct{}) // closed when the request has ended, but not its handler
	log := logging.New(logging.Config{
		Logger: l.logger(), Schema: schema, GCPProject: "p1",
		RequestHeaders: []string{"Accept"}, ResponseHeaders: []string{"X-Answer"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Sample:         func(logging.Record) float64 { return 0.999999 },
		OnRecord: func(_ context.Context, r logging.Record) {
			if r.Path == "/late" {
				close(late)
			}
		},
	})
	errs := errmap.New(errmap.Config{})
	for path, h := range map[string]http.Handler{
		"/ok": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Pattern = "/{what}"
			w.Header().Set("X-Answer", "1")
			w.WriteHeader(200)
		}),
		"/error": errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
			answered, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, remote.URL, nil)
			refused, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://127.0.0.1:1", nil)
			if res, err := calls.Do(answered); assert.NoError(t, err) {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			_, err := calls.Do(refused)
			assert.Error(t, err)
			return errors.New("no")
		}),
		"/panic": errs.Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })),
		"/late": timeout.New(timeout.Config{Limit: time.Millisecond})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			<-late
		})),
	} {
		r := httptest.NewRequestWithContext(context.Background(), "PROPFIND", "http://example.com"+path+"?a=1", nil)
		r.Header.Set("User-Agent", "curl/8")
		r.Header.Set("X-Request-Id", "not clean")
		r.Header.Set("Accept", "a")
		r.Header.Set("X-Forwarded-For", "203.0.113.7")
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448ebffffffffff-b7ad6b7169203331-01")
		log(h).ServeHTTP(httptest.NewRecorder(), r)
	}
	var all []map[string]any
	for raw := range strings.Lines(string(l.buf.take())) {
		m := map[string]any{"raw": raw}
		require.NoError(t, json.Unmarshal([]byte(raw), &m))
		all = append(all, m)
	}
	require.Len(t, all, 7) // four requests, two calls, one late end
	return all
}

// The values follow the rules of the published names.
func TestValuesAsPublished(t *testing.T) {
	// http-spans.md, url.full: "https://REDACTED:REDACTED@www.example.com/".
	l := newLines()
	tr := logging.NewTransport(logging.TransportConfig{Logger: l.logger(), Base: refusing{}})
	r := httptest.NewRequest("GET", "https://u:p@www.example.com/?sig=x", nil)
	_, err := tr.RoundTrip(r)
	require.Error(t, err)
	require.Equal(t, "https://REDACTED:REDACTED@www.example.com/?sig=REDACTED", l.next(t)["url.full"])

	// client.yml: an address that is an IP is duplicated to .ip, which has no zone.
	for address, ip := range map[string]any{
		"192.0.2.1": "192.0.2.1", "[2001:db8::1]": "2001:db8::1", "[fe80::1%eth0]": "fe80::1", "@": nil,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = address + ":1234"
		m, _ := serve(t, logging.Config{Schema: logging.ECS}, r, func(http.ResponseWriter, *http.Request) {})
		require.Equal(t, ip, m["client.ip"], address)
	}
	// event.yml: the allowed values of event.outcome.
	for handler, want := range map[string]string{"ok": "success", "panic": "failure"} {
		func() {
			defer func() { _ = recover() }()
			l = newLines()
			logging.New(logging.Config{Schema: logging.ECS, Logger: slog.New(l)})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				if handler == "panic" {
					panic("boom")
				}
			})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		}()
		require.Equal(t, want, l.next(t)["event.outcome"])
	}
}

// refusing is a transport that cannot connect.
type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }
