package bulwarkprometheus

import (
	"context"
	"net/http"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bulwark-go/bulwark/logging"
)

// client counts outbound calls.
type client struct {
	buckets  []float64
	duration *prometheus.HistogramVec
	active   *prometheus.GaugeVec
	refusals *prometheus.CounterVec

	calls   cache[callKey, histogram]
	gauges  cache[callGaugeKey, prometheus.Gauge]
	servers servers
}

func (c *client) register(cfg *Config) {
	c.buckets, c.servers.max = cfg.Buckets, cfg.MaxServers
	c.duration = prometheus.NewHistogramVec(cfg.histogram(prometheus.HistogramOpts{
		Name: "http_client_request_duration_seconds",
		Help: "Duration of HTTP client requests.",
	}), []string{
		"http_request_method", "server_address", "server_port", "http_response_status_code",
		"network_protocol_version", "error_type", "bulwark_outcome",
	})
	c.active = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "http_client_active_requests",
		Help: "Number of active HTTP requests.",
	}, []string{"http_request_method", "server_address", "server_port"})
	c.refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bulwark_client_refusals_total",
		Help: "Calls that were not made and responses that were rejected, by reason.",
	}, []string{"server_address", "server_port", "bulwark_reason"})
	cfg.Registerer.MustRegister(c.duration, c.active, c.refusals)
}

type callKey struct {
	method, proto string
	server        address
	status        int
	outcome       logging.Outcome
}

type callGaugeKey struct {
	method string
	server address
}

func (c *client) gauge(r *logging.Record, a address) prometheus.Gauge {
	return *c.gauges.get(callGaugeKey{r.Method, a}, func(k callGaugeKey) *prometheus.Gauge {
		g := c.active.WithLabelValues(k.method, k.server.host, k.server.portLabel())
		return &g
	})
}

func (c *client) started(_ context.Context, r logging.Record) { c.gauge(&r, c.servers.known(&r)).Inc() }

func (c *client) ended(_ context.Context, r logging.Record) {
	a := c.servers.known(&r)
	c.gauge(&r, a).Dec()
	c.calls.get(callKey{r.Method, r.Proto, a, r.Status, r.Outcome}, c.newCall).observe(&r)
	if ref, ok := refusalOfCall(r.Cause); ok {
		increment(c.refusals.WithLabelValues(a.host, a.portLabel(), ref.reason), &r)
	}
}

func (c *client) newCall(k callKey) *histogram {
	h := newHistogram(c.duration.WithLabelValues(
		k.method, k.server.host, k.server.portLabel(), code(k.status), k.proto, k.errorType(), unlessOK(k.outcome)), c.buckets)
	return &h
}

// errorType says why a call failed. To a client a 4xx is an error.
func (k *callKey) errorType() string {
	switch {
	case k.outcome == logging.OutcomeOK && k.status < http.StatusBadRequest, k.outcome == logging.OutcomeUpgraded:
		return ""
	case k.status >= http.StatusBadRequest && (k.outcome == logging.OutcomeOK || k.outcome == logging.OutcomeError):
		return code(k.status)
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

func (a address) portLabel() string {
	if a.port == 0 {
		return ""
	}
	return strconv.Itoa(a.port)
}

// servers are the hosts that appear by name. A host that is known stays known, so a
// call has the same labels at its start and its end.
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
