package bulwarkotel

import (
	"context"
	"net/http"
	"strconv"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/bulwark-go/bulwark/logging"
)

// client counts outbound calls.
type client struct {
	duration metric.Float64Histogram
	refusals metric.Int64Counter

	calls   cache[callKey, attributes]
	active  cache[activeCallKey, level]
	servers servers
}

func (c *client) create(m *instruments, cfg *Config) {
	c.servers.max = cfg.MaxServers
	c.duration = m.duration(instrument{
		Name: "http.client.request.duration", Unit: "s", Description: "Duration of HTTP client requests.",
	})
	c.active.keeps = true
	m.observed(instrument{
		Name: "http.client.active_requests", Unit: "{request}", Description: "Number of active HTTP requests.",
	}, c.active.each)
	c.refusals = m.counter(instrument{
		Name: "bulwark.client.refusals", Unit: "{request}",
		Description: "Calls that were not made and responses that were rejected, by reason.",
	})
}

type callKey struct {
	method, proto string
	server        address
	status        int
	outcome       logging.Outcome
}

func (k *callKey) place() uint8 {
	return ends(k.server.host) + 5*ends(k.method) + 17*uint8(k.status) + uint8(len(k.outcome))
}

type activeCallKey struct {
	method string
	server address
}

func (k *activeCallKey) place() uint8 { return ends(k.server.host) + 5*ends(k.method) }

func (c *client) count(r *logging.Record, a address, n int64) {
	k := activeCallKey{r.Method, a}
	c.active.get(&k, k.place(), newActiveCall).n.Add(n)
}

func newActiveCall(k activeCallKey) *level {
	return newLevel(k.server.attributes(semconv.HTTPRequestMethodKey.String(k.method))...)
}

// hooks returns hooks that count. They call onStart and onRecord afterwards, which
// may be nil. A Record is large, so it is copied only for those. client and server
// have such a method each, because a Record whose address goes through a function
// value would be allocated for each request.
func (c *client) hooks(onStart, onRecord hook) (_, _ hook) {
	return func(ctx context.Context, r logging.Record) {
			c.started(ctx, &r)
			if onStart != nil {
				onStart(ctx, r)
			}
		}, func(ctx context.Context, r logging.Record) {
			c.ended(ctx, &r)
			if onRecord != nil {
				onRecord(ctx, r)
			}
		}
}

func (c *client) started(_ context.Context, r *logging.Record) {
	c.count(r, c.servers.known(r), 1)
}

func (c *client) ended(ctx context.Context, r *logging.Record) {
	a := c.servers.known(r)
	c.count(r, a, -1)
	ctx = inTrace(ctx, r)
	k := callKey{r.Method, r.Proto, a, r.Status, r.Outcome}
	c.duration.Record(ctx, r.Duration.Seconds(), c.calls.get(&k, k.place(), newCall).record...)
	if ref, ok := refusalOfCall(r.Cause); ok {
		c.refusals.Add(ctx, 1, metric.WithAttributes(a.attributes(reasonKey.String(ref.reason))...))
	}
}

func newCall(k callKey) *attributes {
	attrs := k.server.attributes(semconv.HTTPRequestMethodKey.String(k.method))
	if k.status != 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(k.status))
	}
	attrs = known(attrs, semconv.NetworkProtocolVersionKey, k.proto)
	attrs = known(attrs, semconv.ErrorTypeKey, k.errorType())
	attrs = known(attrs, outcomeKey, unlessOK(k.outcome))
	return newAttributes(attrs...)
}

// errorType says why a call failed. To a client a 4xx is an error.
func (k *callKey) errorType() string {
	switch {
	case k.outcome == logging.OutcomeOK && k.status < http.StatusBadRequest, k.outcome == logging.OutcomeUpgraded:
		return ""
	case k.status >= http.StatusBadRequest && (k.outcome == logging.OutcomeOK || k.outcome == logging.OutcomeError):
		return strconv.Itoa(k.status)
	}
	return string(k.outcome)
}

// address is a host that calls are made to.
type address struct {
	host string
	port int
}

// otherServer stands for the hosts beyond Config.MaxServers.
var otherServer = address{host: "_OTHER"}

func (a address) attributes(more ...attribute.KeyValue) []attribute.KeyValue {
	more = known(more, semconv.ServerAddressKey, a.host)
	if a.port != 0 {
		more = append(more, semconv.ServerPort(a.port))
	}
	return more
}

// servers are the hosts that appear by name. A host that is known stays known, so a
// call has the same attributes at its start and its end.
type servers struct {
	max   int
	mu    sync.RWMutex
	hosts map[address]bool
}

func (s *servers) known(r *logging.Record) address {
	a := address{r.Server, r.Port}
	s.mu.RLock()
	known, full := s.hosts[a], len(s.hosts) >= s.max
	s.mu.RUnlock()
	switch {
	case known:
		return a
	case full:
		return otherServer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.hosts[a]:
	case len(s.hosts) >= s.max:
		return otherServer
	case s.hosts == nil:
		s.hosts = map[address]bool{a: true}
	default:
		s.hosts[a] = true
	}
	return a
}
