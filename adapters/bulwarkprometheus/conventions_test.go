package bulwarkprometheus_test

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/logging"
)

// convention is a metric as the conventions publish it.
type convention struct {
	name, instrument, unit, description string
	attributes                          map[string]string // the requirement level of each
	buckets                             []float64
}

var (
	row     = regexp.MustCompile("(?m)^\\| \\[?`([a-z_.]+)`[^|]*\\| (.*) \\|$")
	advised = regexp.MustCompile("of `\\[ ([0-9., ]+) \\]`")
)

// published reads a file of testdata.
func published(t *testing.T) (all []convention) {
	t.Helper()
	text, err := os.ReadFile("testdata/http-metrics.md")
	require.NoError(t, err)
	for _, section := range strings.Split(string(text), "### Metric: ")[1:] {
		rows := row.FindAllStringSubmatch(section, -1)
		cells := strings.Split(rows[0][2], " | ")
		c := convention{rows[0][1], cells[0], strings.Trim(cells[1], "`"), cells[2], map[string]string{}, nil}
		for _, r := range rows[1:] {
			level, _, _ := strings.Cut(strings.Split(r[2], " | ")[1], "` ")
			c.attributes[r[1]] = strings.Trim(level, "`")
		}
		if m := advised.FindStringSubmatch(section); m != nil {
			for b := range strings.SplitSeq(m[1], ", ") {
				f, err := strconv.ParseFloat(b, 64)
				require.NoError(t, err)
				c.buckets = append(c.buckets, f)
			}
		}
		all = append(all, c)
	}
	require.Len(t, all, 4)
	return all
}

// rendered is the name that Prometheus gives a metric of OpenTelemetry: "OTLP
// Metric points to Prometheus", in the specification's compatibility/prometheus_and_openmetrics.md.
func (c *convention) rendered() string {
	name := strings.ReplaceAll(c.name, ".", "_")
	if c.unit == "s" {
		return name + "_seconds"
	}
	return name // a unit in braces is dropped
}

// Names, types, descriptions, buckets and labels are those of the published conventions.
// Other labels are named bulwark_.
func TestConventions(t *testing.T) {
	s := start(t, false, endings)
	s.get(t, "/users/7")
	s.get(t, "/stuck")
	call(t, s, s.metrics.Client(logging.TransportConfig{}), "/users/7")
	families, err := s.reg.Gather()
	require.NoError(t, err)
	for _, c := range published(t) {
		t.Run(c.name, func(t *testing.T) {
			i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == c.rendered() })
			require.GreaterOrEqual(t, i, 0, "%s is not exposed", c.rendered())
			f := families[i]
			assert.Equal(t, c.description, f.GetHelp())
			for _, m := range f.GetMetric() {
				c.check(t, f.GetType(), m)
			}
		})
	}
	for _, f := range families {
		assert.True(t, strings.HasPrefix(f.GetName(), "bulwark_") ||
			slices.ContainsFunc(published(t), func(c convention) bool { return c.rendered() == f.GetName() }), f.GetName())
	}
}

func (c *convention) check(t *testing.T, kind dto.MetricType, m *dto.Metric) {
	t.Helper()
	switch c.instrument {
	case "Histogram":
		assert.Equal(t, dto.MetricType_HISTOGRAM, kind)
		var bounds []float64
		for _, b := range m.GetHistogram().GetBucket() {
			bounds = append(bounds, b.GetUpperBound())
		}
		assert.Equal(t, c.buckets, bounds)
	case "UpDownCounter":
		assert.Equal(t, dto.MetricType_GAUGE, kind)
	default:
		assert.Fail(t, "an instrument that is not known", c.instrument)
	}
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	for attribute, level := range c.attributes {
		label := strings.ReplaceAll(attribute, ".", "_")
		value, has := labels[label]
		switch level {
		case "Required":
			assert.NotEmpty(t, value, label)
		case "Conditionally Required", "Recommended":
			assert.True(t, has || attribute == "network.protocol.name" || attribute == "url.template",
				"%s: the protocol is http, and no template is known", label)
		case "Opt-In":
			assert.False(t, has, label)
		default:
			assert.Fail(t, "a level that is not known", level)
		}
		delete(labels, label)
	}
	for label := range labels {
		assert.True(t, strings.HasPrefix(label, "bulwark_"), label)
	}
}

func TestConfigIsValidated(t *testing.T) {
	assert.PanicsWithValue(t, "bulwarkprometheus: Registerer must not be a nil *prometheus.Registry; Scheme must be http or https; Buckets must rise; MaxServers must not be negative", func() {
		bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: (*prometheus.Registry)(nil), Scheme: "ftp", Buckets: []float64{1, 1}, MaxServers: -1})
	})
	assert.PanicsWithValue(t, "bulwarkprometheus: Buckets must not be empty", func() {
		bulwarkprometheus.New(bulwarkprometheus.Config{Buckets: []float64{}})
	})
	reg := prometheus.NewRegistry()
	bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg})
	assert.Panics(t, func() { bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg}) })
	reg = prometheus.NewRegistry()
	for _, server := range []string{"a", "b"} {
		assert.NotPanics(t, func() {
			bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"server": server}, reg)})
		})
	}
}

// The hooks that a Config has are also called, after those of the metrics.
func TestHooksOfTheConfigAreCalledAfterwards(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg})
	var called []string
	hook := func(name, series string) func(context.Context, logging.Record) {
		return func(context.Context, logging.Record) {
			assert.Contains(t, scrape(t, reg, "text/plain"), series)
			called = append(called, name)
		}
	}
	server := m.Server(logging.Config{
		OnStart:  hook("start", "http_server_active_requests{"),
		OnRecord: hook("end", "http_server_request_duration_seconds_count{"),
	})
	client := m.Client(logging.TransportConfig{
		OnStart:  hook("call", "http_client_active_requests{"),
		OnRecord: hook("called", "http_client_request_duration_seconds_count{"),
	})
	server.OnStart(t.Context(), logging.Record{})
	server.OnRecord(t.Context(), logging.Record{})
	client.OnStart(t.Context(), logging.Record{})
	client.OnRecord(t.Context(), logging.Record{})
	assert.Equal(t, []string{"start", "end", "call", "called"}, called)
}
