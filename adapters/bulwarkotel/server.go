package bulwarkotel

import (
	"context"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/bulwark-go/bulwark/logging"
)

// The attributes for which the conventions have no name.
const (
	outcomeKey attribute.Key = "bulwark.outcome"
	reasonKey  attribute.Key = "bulwark.reason"
	policyKey  attribute.Key = "bulwark.policy"
	shadowKey  attribute.Key = "bulwark.shadow"
)

// server counts requests.
type server struct {
	scheme    string
	duration  metric.Float64Histogram
	queueWait metric.Float64Histogram
	refusals  metric.Int64Counter
	abandoned metric.Int64Counter
	truncated metric.Int64Counter

	requests cache[requestKey, request]
	active   cache[activeKey, level]
}

func (s *server) create(m *instruments, cfg *Config) {
	s.scheme = cfg.Scheme
	s.duration = m.duration(instrument{
		Name: "http.server.request.duration", Unit: "s", Description: "Duration of HTTP server requests.",
	})
	s.active.keeps = true
	m.observed(instrument{
		Name: "http.server.active_requests", Unit: "{request}", Description: "Number of active HTTP server requests.",
	}, s.active.each)
	s.queueWait = m.duration(instrument{
		Name: "bulwark.server.queue.wait", Unit: "s", Description: "How long requests waited for a permit. Requests that did not wait are not counted.",
	})
	s.refusals = m.counter(instrument{
		Name: "bulwark.server.refusals", Unit: "{request}", Description: "Requests that exceeded a limit or a quota, by reason.",
	})
	s.abandoned = m.counter(instrument{
		Name: "bulwark.server.abandoned_handlers", Unit: "{handler}",
		Description: "Handlers that were still running when the request had ended for the client.",
	})
	s.truncated = m.counter(instrument{
		Name: "bulwark.server.truncated_responses", Unit: "{response}",
		Description: "Responses that were cut off in a way that the client can see.",
	})
}

// requestKey has the values that determine the attributes of a request.
type requestKey struct {
	method, scheme, route, proto string
	status                       int
	outcome                      logging.Outcome
}

func (k *requestKey) place() uint8 {
	return ends(k.route) + 5*ends(k.method) + 17*uint8(k.status) + uint8(len(k.outcome))
}

// request has the attributes for all requests with the same key.
type request struct {
	all    *attributes
	route  *attributes
	active *level
}

type activeKey struct{ method, scheme string }

func (k *activeKey) place() uint8 { return 5*ends(k.method) + ends(k.scheme) }

func (s *server) schemeOf(r *logging.Record) string {
	if s.scheme != "" {
		return s.scheme
	}
	return r.Scheme
}

func (s *server) activeOf(method, scheme string) *level {
	k := activeKey{method, scheme}
	return s.active.get(&k, k.place(), newActive)
}

func newActive(k activeKey) *level {
	return newLevel(semconv.HTTPRequestMethodKey.String(k.method), semconv.URLScheme(k.scheme))
}

// hooks returns hooks that count. They call onStart and onRecord afterwards, which
// may be nil. A Record is large, so it is copied only for those. client and server
// have such a method each, because a Record whose address goes through a function
// value would be allocated for each request.
func (s *server) hooks(onStart, onRecord hook) (_, _ hook) {
	return func(ctx context.Context, r logging.Record) {
			s.started(ctx, &r)
			if onStart != nil {
				onStart(ctx, r)
			}
		}, func(ctx context.Context, r logging.Record) {
			s.ended(ctx, &r)
			if onRecord != nil {
				onRecord(ctx, r)
			}
		}
}

func (s *server) started(ctx context.Context, r *logging.Record) {
	s.activeOf(r.Method, s.schemeOf(r)).n.Add(1)
	identify(ctx, r.TraceID != "")
}

func (s *server) ended(ctx context.Context, r *logging.Record) {
	var k requestKey // a composite literal would be copied
	k.method, k.scheme, k.route, k.proto = r.Method, s.schemeOf(r), r.Route, r.Proto
	k.status, k.outcome = sent(r), r.Outcome
	req := s.requests.get(&k, k.place(), s.newRequest)
	req.active.n.Add(-1)
	if r.TraceID == "" { // there was no span, see identify
		ctx = context.Background() // the SDK looks for one, which takes longer in the context of a request
	} else {
		settle(ctx, &k)
		ctx = inTrace(ctx, r)
	}
	s.duration.Record(ctx, r.Duration.Seconds(), req.all.record...)
	if r.Abandoned {
		s.abandoned.Add(ctx, 1, req.route.add...)
	}
	if r.Truncated {
		s.truncated.Add(ctx, 1, req.route.add...)
	}
	if r.QueueWait > 0 {
		s.queueWait.Record(ctx, r.QueueWait.Seconds(), metric.WithAttributes(known(nil, outcomeKey, unlessOK(r.Outcome))...))
	}
	if r.Cause == nil && r.Remarks == nil {
		return
	}
	if ref, ok := refusalOf(r.Cause, r.Outcome == logging.OutcomeRefused); ok {
		s.refuse(ctx, r, ref, false)
	}
	for _, err := range r.Remarks {
		if ref, ok := refusalOf(err, false); ok {
			s.refuse(ctx, r, ref, true)
		}
	}
}

func (s *server) refuse(ctx context.Context, r *logging.Record, ref refusal, shadow bool) {
	attrs := []attribute.KeyValue{reasonKey.String(ref.reason), shadowKey.Bool(shadow)}
	attrs = known(attrs, semconv.HTTPRouteKey, r.Route)
	attrs = known(attrs, policyKey, ref.policy)
	s.refusals.Add(ctx, 1, metric.WithAttributes(attrs...))
}

// newRequest is called for the first request of a key. It starts the counters of
// the key at 0: a counter that starts at 1 would have no increase, so a rate would
// miss the first event.
func (s *server) newRequest(k requestKey) *request {
	attrs := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(k.method), semconv.URLScheme(k.scheme),
	}
	if k.status != 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(k.status))
	}
	attrs = known(attrs, semconv.HTTPRouteKey, k.route)
	attrs = known(attrs, semconv.NetworkProtocolVersionKey, k.proto)
	attrs = known(attrs, semconv.ErrorTypeKey, k.errorType())
	attrs = known(attrs, outcomeKey, unlessOK(k.outcome))
	req := &request{
		all:    newAttributes(attrs...),
		route:  newAttributes(known(nil, semconv.HTTPRouteKey, k.route)...),
		active: s.activeOf(k.method, k.scheme),
	}
	s.abandoned.Add(context.Background(), 0, req.route.add...)
	s.truncated.Add(context.Background(), 0, req.route.add...)
	return req
}

// statusClientGone is the status in the record if the client left before anything
// was sent.
const statusClientGone = 499

// sent returns the status that was sent, or 0 if none was.
func sent(r *logging.Record) int {
	if r.Status == statusClientGone && r.Outcome == logging.OutcomeClientGone {
		return 0
	}
	return r.Status
}

// unlessOK returns the value of bulwark.outcome. The SDK looks at each attribute of
// each measurement, so most requests should have few.
func unlessOK(o logging.Outcome) string {
	if o == logging.OutcomeOK {
		return ""
	}
	return string(o)
}

// errorType returns error.type: how the server failed, or "".
func (k *requestKey) errorType() string {
	switch k.outcome {
	case logging.OutcomePanic, logging.OutcomeAborted, logging.OutcomeWriteTimeout, logging.OutcomeWriteError, logging.OutcomeShortBody:
		return string(k.outcome)
	case logging.OutcomeDeadline:
		if k.status == http.StatusRequestTimeout { // the client was slow to send its body
			return ""
		}
		return string(k.outcome)
	case logging.OutcomeClientGone, logging.OutcomeUpgraded:
		return ""
	case logging.OutcomeError:
		if k.status < http.StatusInternalServerError { // a late error
			return string(k.outcome)
		}
	}
	if k.status >= http.StatusInternalServerError {
		return strconv.Itoa(k.status)
	}
	return ""
}
