package bulwarkotel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/bulwark-go/bulwark/logging"
)

// Config configures [New]. The zero value is valid. The zero value of a field means
// its documented default.
type Config struct {
	// MeterProvider creates the instruments. Default nil: otel.GetMeterProvider().
	MeterProvider metric.MeterProvider

	// Scheme is the value of url.scheme, "http" or "https". Set it if a proxy in
	// front of the server terminates TLS. Default "": the scheme of the connection.
	Scheme string

	// MaxServers is the maximum number of hosts (with their ports) of outbound
	// calls that appear by name. All others are _OTHER. Default 0: 100.
	MaxServers int
}

const defaultMaxServers = 100

func (c Config) withDefaults() Config {
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	if c.MaxServers == 0 {
		c.MaxServers = defaultMaxServers
	}
	return c
}

func (c Config) validate() error {
	var texts []string
	if v := reflect.ValueOf(c.MeterProvider); v.Kind() == reflect.Pointer && v.IsNil() {
		texts = append(texts, fmt.Sprintf("MeterProvider must not be a nil %T", c.MeterProvider))
	}
	if c.Scheme != "" && c.Scheme != "http" && c.Scheme != "https" {
		texts = append(texts, "Scheme must be http or https")
	}
	if c.MaxServers < 0 {
		texts = append(texts, "MaxServers must not be negative")
	}
	if texts == nil {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

// Telemetry has the instruments. [New] returns one. It is safe for concurrent use
// and must not be copied. All servers and clients with the same MeterProvider must
// share one Telemetry: of several, the SDK reports the active requests of only one.
type Telemetry struct {
	server  server
	client  client
	methods []string // the known ones; nil: those of package logging
}

const scope = "github.com/bulwark-go/bulwark/adapters/bulwarkotel"

// New creates the instruments. It panics if cfg is wrong, and names every bad
// field. It also panics if the MeterProvider refuses an instrument.
func New(cfg Config) *Telemetry {
	if err := cfg.validate(); err != nil {
		panic("bulwarkotel: " + err.Error())
	}
	cfg = cfg.withDefaults()
	m := &instruments{meter: cfg.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))}
	t := &Telemetry{methods: knownMethods(os.Getenv(methodsVariable))}
	t.server.create(m, &cfg)
	t.client.create(m, &cfg)
	if len(m.errs) > 0 {
		panic("bulwarkotel: " + errors.Join(m.errs...).Error())
	}
	return t
}

// methodsVariable is the name that the conventions give the variable.
const methodsVariable = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"

// knownMethods parses a list with commas. An empty list is no list.
func knownMethods(list string) (methods []string) {
	for m := range strings.SplitSeq(list, ",") {
		if m = strings.TrimSpace(m); isMethod(m) {
			methods = append(methods, m)
		}
	}
	return methods
}

// isMethod reports whether m can be a method. Package logging refuses others.
func isMethod(m string) bool {
	_, err := http.NewRequest(m, "/", nil) //nolint:noctx // it is not sent
	return m != "" && err == nil
}

// Server returns a copy of cfg with hooks that count requests and mark their spans.
// Hooks that cfg already has are called after these.
func (t *Telemetry) Server(cfg logging.Config) logging.Config {
	if cfg.KnownMethods == nil {
		cfg.KnownMethods = slices.Clone(t.methods)
	}
	cfg.OnStart, cfg.OnRecord = t.server.hooks(cfg.OnStart, cfg.OnRecord)
	if onReturn := cfg.OnReturn; onReturn == nil {
		cfg.OnReturn = returned
	} else {
		cfg.OnReturn = func(ctx context.Context, route string, cause error) {
			returned(ctx, route, cause)
			onReturn(ctx, route, cause)
		}
	}
	return cfg
}

// Client returns a copy of cfg with hooks that count calls. Hooks that cfg already
// has are called after these. Client does not change the spans of calls.
func (t *Telemetry) Client(cfg logging.TransportConfig) logging.TransportConfig {
	if cfg.KnownMethods == nil {
		cfg.KnownMethods = slices.Clone(t.methods)
	}
	cfg.OnStart, cfg.OnRecord = t.client.hooks(cfg.OnStart, cfg.OnRecord)
	return cfg
}
