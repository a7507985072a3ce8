package interop_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/otlptranslator"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/quota"
)

// records are of requests and calls of every kind.
func records() (server, client []logging.Record) {
	for _, o := range []logging.Outcome{
		logging.OutcomeOK, logging.OutcomeError, logging.OutcomeDeadline, logging.OutcomeClientGone, logging.OutcomeWriteTimeout,
		logging.OutcomeWriteError, logging.OutcomeShortBody, logging.OutcomePanic, logging.OutcomeAborted, logging.OutcomeUpgraded, logging.OutcomeRefused,
	} {
		for _, status := range []int{0, 101, 200, 404, 408, 413, 429, 499, 500, 503, 504} {
			r := logging.Record{Method: "GET", Scheme: "http", Route: "/users/{id}", Proto: "1.1", Status: status, Outcome: o, Duration: 30 * time.Millisecond}
			server = append(server, r)
			r.Route, r.Server, r.Port = "", "third.example", 443
			client = append(client, r)
		}
	}
	server = append(server,
		logging.Record{Method: "_OTHER", Scheme: "https", Outcome: logging.OutcomeOK, Abandoned: true, Truncated: true, QueueWait: time.Second},
		logging.Record{Method: "GET", Scheme: "http", Cause: &limits.Error{Reason: limits.ReasonInFlight}, Outcome: logging.OutcomeRefused},
		logging.Record{Method: "GET", Scheme: "http", Route: "/", Cause: &http.MaxBytesError{}, Remarks: []error{&quota.Error{Policy: "client"}}},
	)
	client = append(client, logging.Record{Method: "GET", Server: "third.example", Port: 443, Cause: &limits.Error{Reason: limits.ReasonResponse}})
	return server, client
}

// bulwarkprometheus exposes what OpenTelemetry's own exporter for Prometheus makes of
// bulwarkotel: names, help, types, labels, buckets and values.
func TestBothAdaptersAreOneInPrometheus(t *testing.T) {
	ours, theirs := prometheus.NewRegistry(), prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(theirs), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo(),
		exporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))
	require.NoError(t, err)
	metrics := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: ours})
	telemetry := bulwarkotel.New(bulwarkotel.Config{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	server, client := telemetry.Server(metrics.Server(logging.Config{})), telemetry.Client(metrics.Client(logging.TransportConfig{}))
	requests, calls := records()
	for _, r := range requests {
		server.OnStart(t.Context(), r)
		server.OnRecord(t.Context(), r)
	}
	for _, r := range calls {
		client.OnStart(t.Context(), r)
		client.OnRecord(t.Context(), r)
	}
	want, got := gathered(t, theirs), gathered(t, ours)
	assert.Len(t, got, len(want))
	assert.Equal(t, want, got)
	assert.Greater(t, len(got), 100)
}

// gathered is each series in a line, without the labels that are empty.
func gathered(t *testing.T, reg *prometheus.Registry) (series []string) {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			m.Label = slices.DeleteFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == "" })
			if c := m.GetCounter(); c != nil {
				c.CreatedTimestamp = nil
			}
			if h := m.GetHistogram(); h != nil {
				h.CreatedTimestamp = nil
			}
			text := strings.Join(strings.Fields(m.String()), " ")
			series = append(series, f.GetName()+" | "+f.GetHelp()+" | "+f.GetType().String()+" | "+text)
		}
	}
	slices.Sort(series)
	return series
}
