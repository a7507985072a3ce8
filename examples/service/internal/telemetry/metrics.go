// Package telemetry is what the service says of itself to Prometheus and to
// OpenTelemetry. What it says to people is package logging's line.
package telemetry

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bulwark-go/bulwark/logging"
)

// OpenTelemetry's, up to the usual deadline and past it.
var buckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// Metrics is made by [NewMetrics]. It is safe for concurrent use.
type Metrics struct {
	registry  *prometheus.Registry
	duration  *prometheus.HistogramVec
	calls     *prometheus.HistogramVec
	refused   *prometheus.CounterVec
	abandoned *prometheus.CounterVec
	cache     *prometheus.CounterVec
	inFlight  prometheus.Gauge
}

// NewMetrics registers the metrics, with those of the process, in a registry of
// their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_server_request_duration_seconds", Buckets: buckets,
			Help: "How long requests took, until they ended for the client.",
		}, []string{"route", "method", "status", "outcome"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_client_request_duration_seconds", Buckets: buckets,
			Help: "How long attempts to ask the third party took.",
		}, []string{"status", "outcome"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_server_requests_refused_total",
			Help: "Requests that were turned away before their handler ran.",
		}, []string{"status"}),
		abandoned: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_server_handlers_abandoned_total",
			Help: "Handlers that were still running when their request had ended.",
		}, []string{"route"}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cache_lookups_total",
			Help: "Lookups in Redis: hit, miss or failed.",
		}, []string{"result"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_server_requests_in_flight",
			Help: "Requests that have not ended for the client.",
		}),
	}
	m.registry.MustRegister(m.duration, m.calls, m.refused, m.abandoned, m.cache, m.inFlight,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Arrived counts a request in. It belongs right around logging: OnRecord, which
// every request reaches, counts it out. A defer here would wait for a handler
// that has been abandoned.
func (m *Metrics) Arrived(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.inFlight.Inc()
		next.ServeHTTP(w, r)
	})
}

// OnRecord is for [logging.Config]. All that becomes a label has few values: an
// unknown method is "_OTHER", and the path of a request without a route, which
// a scanner may choose, stays out.
func (m *Metrics) OnRecord(_ context.Context, r logging.Record) {
	m.inFlight.Dec()
	m.duration.WithLabelValues(r.Route, r.Method, class(r.Status), string(r.Outcome)).Observe(r.Duration.Seconds())
	if r.Outcome == logging.Refused {
		m.refused.WithLabelValues(strconv.Itoa(r.Status)).Inc()
	}
	if r.Abandoned {
		m.abandoned.WithLabelValues(r.Route).Inc()
	}
}

// OnCall is for [logging.TransportConfig].
func (m *Metrics) OnCall(_ context.Context, r logging.Record) {
	m.calls.WithLabelValues(class(r.Status), string(r.Outcome)).Observe(r.Duration.Seconds())
}

// OnLookup is for package cache.
func (m *Metrics) OnLookup(result string) { m.cache.WithLabelValues(result).Inc() }

// class is the status to its first digit, and "none" where nothing was sent.
func class(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}
