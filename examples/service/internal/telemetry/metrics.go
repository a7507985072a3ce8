// Package telemetry has the service's Prometheus metrics and OpenTelemetry
// traces.
package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
)

// Metrics has the metrics. [NewMetrics] returns one. It is safe for concurrent use.
// The metrics of requests and calls come from bulwarkprometheus.
type Metrics struct {
	*bulwarkprometheus.Metrics

	registry *prometheus.Registry
	cache    *prometheus.CounterVec
}

// NewMetrics registers the service's metrics, and those of the process, in a new
// registry.
func NewMetrics() *Metrics {
	registry := prometheus.NewRegistry()
	m := &Metrics{
		Metrics:  bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: registry}),
		registry: registry,
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cache_lookups_total",
			Help: "Lookups in Redis: hit, miss or failed.",
		}, []string{"result"}),
	}
	registry.MustRegister(m.cache, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves /metrics, also in the OpenMetrics format, which has the exemplars.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// OnLookup counts lookups in the cache.
func (m *Metrics) OnLookup(result string) { m.cache.WithLabelValues(result).Inc() }
