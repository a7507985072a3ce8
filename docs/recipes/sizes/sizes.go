// Package sizes has metrics for the sizes of request and response bodies. They are
// optional in OpenTelemetry's conventions.
//
//	metrics := bulwarkprometheus.New(bulwarkprometheus.Config{})
//	onRecord := sizes.OnRecord(prometheus.DefaultRegisterer)
//	log := logging.New(metrics.Server(logging.Config{OnRecord: onRecord}))
package sizes

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bulwark-go/bulwark/logging"
)

// OnRecord returns a function for [logging.Config]. The path is not a label,
// because clients choose it.
func OnRecord(reg prometheus.Registerer) func(context.Context, logging.Record) {
	buckets := prometheus.ExponentialBuckets(100, 10, 6)
	in := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_server_request_body_size_bytes",
		Help: "Size of HTTP server request bodies.", Buckets: buckets,
	}, []string{"http_route"})
	out := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_server_response_body_size_bytes",
		Help: "Size of HTTP server response bodies.", Buckets: buckets,
	}, []string{"http_route"})
	reg.MustRegister(in, out)
	return func(_ context.Context, r logging.Record) {
		in.WithLabelValues(r.Route).Observe(float64(r.BytesIn))
		out.WithLabelValues(r.Route).Observe(float64(r.BytesOut))
	}
}
