package bulwarkotel

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/bulwark-go/bulwark/logging"
)

// hook is a function that package logging calls.
type hook = func(context.Context, logging.Record)

// boundaries are the bucket boundaries that the conventions advise, in seconds.
var boundaries = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// instrument is how an instrument is described.
type instrument struct{ Name, Unit, Description string }

// instruments creates instruments and collects the errors.
type instruments struct {
	meter metric.Meter
	errs  []error
}

func (m *instruments) failed(err error) {
	if err != nil {
		m.errs = append(m.errs, err)
	}
}

// duration returns a histogram of seconds.
func (m *instruments) duration(i instrument) metric.Float64Histogram {
	h, err := m.meter.Float64Histogram(i.Name, metric.WithUnit(i.Unit), metric.WithDescription(i.Description),
		metric.WithExplicitBucketBoundaries(boundaries...))
	m.failed(err)
	return h
}

// observed creates an up-down counter that is observed only when metrics are
// collected. Counting up and down for each request would cost two measurements.
func (m *instruments) observed(i instrument, each func(func(*level))) {
	_, err := m.meter.Int64ObservableUpDownCounter(i.Name, metric.WithUnit(i.Unit), metric.WithDescription(i.Description),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			each(func(l *level) { o.Observe(l.n.Load(), l.attributes) })
			return nil
		}))
	m.failed(err)
}

// level is the value of an up-down counter for one set of attributes.
type level struct {
	n          atomic.Int64
	attributes metric.MeasurementOption
}

func newLevel(kvs ...attribute.KeyValue) *level {
	return &level{attributes: metric.WithAttributeSet(attribute.NewSet(kvs...))}
}

func (m *instruments) counter(i instrument) metric.Int64Counter {
	c, err := m.meter.Int64Counter(i.Name, metric.WithUnit(i.Unit), metric.WithDescription(i.Description))
	m.failed(err)
	return c
}

// attributes is a set of attributes as options of a measurement. Making the options
// takes several times as long as the measurement, so they are kept.
type attributes struct {
	record []metric.RecordOption
	add    []metric.AddOption
}

func newAttributes(kvs ...attribute.KeyValue) *attributes {
	option := metric.WithAttributeSet(attribute.NewSet(kvs...))
	return &attributes{[]metric.RecordOption{option}, []metric.AddOption{option}}
}

// known appends an attribute if its value is not empty.
func known(kvs []attribute.KeyValue, key attribute.Key, value string) []attribute.KeyValue {
	if value == "" {
		return kvs
	}
	return append(kvs, key.String(value))
}

// inTrace returns ctx with the trace of the record as the current trace, so the
// measurement becomes an exemplar. If tracing middleware is inside logging, its
// span is not in ctx. Without tracing middleware the trace is the caller's.
func inTrace(ctx context.Context, r *logging.Record) context.Context {
	if !r.TraceSampled || trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx
	}
	id, err := trace.TraceIDFromHex(r.TraceID)
	if err != nil {
		return ctx
	}
	span, err := trace.SpanIDFromHex(r.SpanID)
	if err != nil {
		return ctx
	}
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true,
	}))
}
