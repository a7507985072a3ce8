//go:build unix

package main_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans is a collector.
type spans struct {
	mu      sync.Mutex
	all     []*trace.Span
	service string
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range req.GetResourceSpans() {
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				s.service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			s.all = append(s.all, scope.GetSpans()...)
		}
	}
}

// TestTraces: a request has a span below its caller's, the log record has its ids, the
// call to the third party has a span below that, and none is lost at the end.
func TestTraces(t *testing.T) {
	var got spans
	srv := httptest.NewServer(&got)
	defer srv.Close()
	parents := make(chan string, 1)
	third := startThirdParty(t)
	third.be(func(w http.ResponseWriter, r *http.Request) {
		parents <- r.Header.Get("Traceparent")
		third.well(w, r)
	})
	p := serve(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + srv.URL, "OTEL_SERVICE_NAME=users", "API_REPUTATION_URL=" + third.URL}, "-request.timeout", "30s", "-reputation.timeout", "30s")
	const traceID, callerSpan = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	req := p.request(http.MethodGet, "/users/123/reputation", "")
	req.Header.Set("Traceparent", "00-"+traceID+"-"+callerSpan+"-01")
	a, err := p.do(req)
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, 200, p.get(t, "/readyz").status) // has none
	p.stop(t)

	l := p.await(t, func(l line) bool { return l.Path == "/users/123/reputation" && l.Route != "" })
	assert.Equal(t, traceID, l.TraceID)
	assert.Equal(t, "/users/{id}/reputation", l.Route)
	got.mu.Lock()
	defer got.mu.Unlock()
	assert.Equal(t, "users", got.service)
	require.Len(t, got.all, 2)
	byParent := map[string]*trace.Span{}
	for _, s := range got.all {
		assert.Equal(t, traceID, hex.EncodeToString(s.GetTraceId()))
		byParent[hex.EncodeToString(s.GetParentSpanId())] = s
	}
	server := byParent[callerSpan]
	require.NotNil(t, server)
	assert.Equal(t, "GET /users/{id}/reputation", server.GetName())
	assert.Equal(t, hex.EncodeToString(server.GetSpanId()), l.SpanID)
	client := byParent[l.SpanID]
	require.NotNil(t, client)
	assert.Equal(t, hex.EncodeToString(client.GetSpanId()), strings.Split(<-parents, "-")[2])
}

// TestCollectorAway: only the log shows that no collector accepts the spans.
func TestCollectorAway(t *testing.T) {
	p := serve(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"})
	assert.Equal(t, 200, p.get(t, "/users/123").status)
	p.stop(t)
	p.await(t, func(l line) bool { return l.Level == "WARN" && l.Message == "opentelemetry" })
}
