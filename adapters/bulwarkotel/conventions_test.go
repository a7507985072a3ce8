package bulwarkotel_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/logging"
)

// described is what OpenTelemetry generates from the conventions.
type described interface {
	Name() string
	Unit() string
	Description() string
}

// Names, units, descriptions and kinds are those that OpenTelemetry publishes for Go.
// Others are named bulwark.
func TestConventions(t *testing.T) {
	server, client, reader := hooks(t, bulwarkotel.Config{})
	r := logging.Record{Method: "GET", Scheme: "http", Outcome: logging.OutcomeOK, QueueWait: 1, Abandoned: true, Truncated: true}
	server.OnStart(t.Context(), r)
	server.OnRecord(t.Context(), r)
	client.OnStart(t.Context(), r)
	client.OnRecord(t.Context(), r)
	found := metrics(t, reader)

	for _, c := range []struct {
		described
		counts bool
	}{
		{httpconv.ServerRequestDuration{}, false},
		{httpconv.ClientRequestDuration{}, false},
		{httpconv.ServerActiveRequests{}, true},
		{httpconv.ClientActiveRequests{}, true},
	} {
		m, ok := found[c.Name()]
		require.True(t, ok, c.Name())
		assert.Equal(t, c.Unit(), m.Unit)
		assert.Equal(t, c.Description(), m.Description)
		if c.counts {
			assert.False(t, m.Data.(metricdata.Sum[int64]).IsMonotonic, c.Name())
		} else {
			for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
				assert.Equal(t, []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}, p.Bounds)
			}
		}
		delete(found, c.Name())
	}
	for name := range found {
		assert.Regexp(t, `^bulwark\.`, name)
	}
	assert.Len(t, found, 3)
}
