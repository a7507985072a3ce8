// Package prom feeds Prometheus from the records of package logging.
//
//	metrics := prom.New(prometheus.DefaultRegisterer)
//	stack := bulwark.Chain(
//		metrics.Arrived,
//		logging.New(logging.Config{OnRecord: metrics.OnRecord}),
//	)
//	http.ListenAndServe(addr, stack(mux))
package prom

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bulwark-go/bulwark/logging"
)

// Metrics is made by [New].
type Metrics struct {
	duration  *prometheus.HistogramVec
	abandoned *prometheus.CounterVec
	inFlight  prometheus.Gauge
}

// New registers the metrics. It panics if their names are taken.
func New(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_server_request_duration_seconds",
			Help: "How long requests took, until they ended for the client.",
			// OpenTelemetry's, up to a handler's usual deadline and past it.
			Buckets: []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10},
		}, []string{"route", "method", "status", "outcome"}),
		abandoned: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_server_handlers_abandoned_total",
			Help: "Handlers that were still running when their request had ended.",
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_server_requests_in_flight",
			Help: "Requests that have not ended for the client.",
		}),
	}
	reg.MustRegister(m.duration, m.abandoned, m.inFlight)
	return m
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
	if r.Abandoned {
		m.abandoned.WithLabelValues(r.Route).Inc()
	}
}

// class is the status to its first digit, and "none" where nothing was sent.
func class(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}
