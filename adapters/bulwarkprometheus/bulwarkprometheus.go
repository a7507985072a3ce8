package bulwarkprometheus

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bulwark-go/bulwark/logging"
)

// Config configures [New]. The zero value is valid. The zero value of a field means
// its documented default.
type Config struct {
	// The metrics are registered with Registerer. If a process has two servers,
	// they can share one Metrics, or each can have its own; give each a different
	// label with prometheus.WrapRegistererWith. Default nil:
	// prometheus.DefaultRegisterer.
	Registerer prometheus.Registerer

	// Scheme is the value of url_scheme, "http" or "https". Set it if a proxy in
	// front of the server terminates TLS. Default "": the scheme of the connection.
	Scheme string

	// Buckets are the upper bounds of the histograms' buckets, in seconds and in
	// rising order. Default nil: the bounds of OpenTelemetry's conventions, from 5
	// ms to 10 s.
	Buckets []float64

	// NativeHistograms adds native histograms to the classic ones. Each of their
	// buckets is at most a tenth wider than the one before, and a series has at
	// most 160 buckets. Default: false.
	NativeHistograms bool

	// MaxServers is the maximum number of hosts (with their ports) of outbound
	// calls that appear by name. All others are _OTHER. Default 0: 100.
	MaxServers int
}

// advised are the bucket boundaries that the conventions advise, in seconds.
var advised = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

const defaultMaxServers = 100

// withDefaults returns a copy with defaults. It shares nothing with the caller's
// Config.
func (c Config) withDefaults() Config {
	if c.Registerer == nil {
		c.Registerer = prometheus.DefaultRegisterer
	}
	if c.Buckets == nil {
		c.Buckets = advised
	}
	c.Buckets = slices.Clone(c.Buckets)
	if c.MaxServers == 0 {
		c.MaxServers = defaultMaxServers
	}
	return c
}

func (c Config) validate() error {
	var texts []string
	for _, f := range []struct {
		wrong bool
		text  string
	}{
		{isNil(c.Registerer), fmt.Sprintf("Registerer must not be a nil %T", c.Registerer)},
		{c.Scheme != "" && c.Scheme != "http" && c.Scheme != "https", "Scheme must be http or https"},
		{c.Buckets != nil && len(c.Buckets) == 0, "Buckets must not be empty"},
		{!rising(c.Buckets), "Buckets must rise"},
		{c.MaxServers < 0, "MaxServers must not be negative"},
	} {
		if f.wrong {
			texts = append(texts, f.text)
		}
	}
	if texts == nil {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

func isNil(r prometheus.Registerer) bool {
	v := reflect.ValueOf(r)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// rising reports whether the buckets are in rising order. It returns false if there
// is a NaN.
func rising(buckets []float64) bool {
	for i, b := range buckets {
		if math.IsNaN(b) || i > 0 && b <= buckets[i-1] {
			return false
		}
	}
	return true
}

// Metrics has the registered metrics. [New] returns one. It is safe for concurrent
// use and must not be copied.
type Metrics struct {
	server server
	client client
}

// New registers the metrics. It panics if cfg is wrong, and names every bad field.
// It also panics if one of the metrics is already registered.
func New(cfg Config) *Metrics {
	if err := cfg.validate(); err != nil {
		panic("bulwarkprometheus: " + err.Error())
	}
	cfg = cfg.withDefaults()
	m := &Metrics{}
	m.server.register(&cfg)
	m.client.register(&cfg)
	return m
}

// Server returns a copy of cfg with hooks that count requests. Hooks that cfg
// already has are called after these.
func (m *Metrics) Server(cfg logging.Config) logging.Config {
	cfg.OnStart = both(m.server.started, cfg.OnStart)
	cfg.OnRecord = both(m.server.ended, cfg.OnRecord)
	return cfg
}

// Client returns a copy of cfg with hooks that count calls. Hooks that cfg already
// has are called after these.
func (m *Metrics) Client(cfg logging.TransportConfig) logging.TransportConfig {
	cfg.OnStart = both(m.client.started, cfg.OnStart)
	cfg.OnRecord = both(m.client.ended, cfg.OnRecord)
	return cfg
}
