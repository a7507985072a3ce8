// Package otelmetrics feeds OpenTelemetry from the records of package logging:
// http.server.request.duration by the semantic conventions for HTTP metrics,
// https://opentelemetry.io/docs/specs/semconv/http/http-metrics/.
//
//	onRecord, err := otelmetrics.OnRecord(otel.GetMeterProvider(), "https")
//	…
//	log := logging.New(logging.Config{OnRecord: onRecord})
//
// otelhttp makes the same metric, from what passed through it. With both, switch
// that one off: otelhttp.WithMeterProvider(noop.NewMeterProvider()).
package otelmetrics

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"github.com/bulwark-go/bulwark/logging"
)

// boundaries are those that the conventions ask for, in seconds.
var boundaries = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// OnRecord is for [logging.Config]. The scheme, which the conventions require,
// is the one that clients use: a server behind a proxy that ends TLS cannot
// know it.
func OnRecord(provider metric.MeterProvider, scheme string) (func(context.Context, logging.Record), error) {
	meter := provider.Meter("github.com/bulwark-go/bulwark/examples/observability/otelmetrics",
		metric.WithSchemaURL(semconv.SchemaURL))
	duration, err := httpconv.NewServerRequestDuration(meter, metric.WithExplicitBucketBoundaries(boundaries...))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, r logging.Record) {
		duration.Record(ctx, r.Duration.Seconds(), httpconv.RequestMethodAttr(r.Method), scheme, attributes(r)...)
	}, nil
}

// attributes are those of the conventions that have something to say.
func attributes(r logging.Record) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 4)
	if r.Route != "" {
		attrs = append(attrs, semconv.HTTPRoute(r.Route))
	}
	if r.Proto != "" {
		attrs = append(attrs, semconv.NetworkProtocolVersion(r.Proto))
	}
	if sent(r) {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(r.Status))
	}
	if t := errorType(r); t != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(t))
	}
	return attrs
}

// sent tells whether a status went over the wire, which the conventions ask for:
// 499 is for a client that has left before.
func sent(r logging.Record) bool {
	return r.Status != 0 && (r.Status != 499 || r.Outcome != logging.ClientGone)
}

// errorType is the outcome where that says more than the status.
func errorType(r logging.Record) string {
	switch {
	case r.Outcome == logging.OK, r.Outcome == logging.Upgraded:
		return ""
	case r.Outcome == logging.Error && r.Status >= 500:
		return strconv.Itoa(r.Status)
	}
	return string(r.Outcome)
}
