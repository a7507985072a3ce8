// Package monitoring_test checks the configuration of Prometheus and Grafana: the rules
// by Prometheus' own tool, the names by the metrics of the service, the compose file by
// its schema.
package monitoring_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"github.com/bulwark-go/bulwark/examples/service/internal/telemetry"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// promtool runs Prometheus' own tool, of Debian's package prometheus.
// PROMTOOL=require makes its absence a failure.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		require.NotEqual(t, "require", os.Getenv("PROMTOOL"), "promtool is not installed")
		t.Skip("promtool is not installed")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Alerts fire for their series of rules_test.yaml, and for no other.
func TestRules(t *testing.T) {
	promtool(t, "check", "config", "prometheus.yaml")
	promtool(t, "check", "rules", "rules.yaml")
	promtool(t, "test", "rules", "rules_test.yaml")
}

// Each alert has a series in rules_test.yaml for which it fires.
func TestEveryAlertIsTested(t *testing.T) {
	var tests struct {
		Tests []struct {
			Checks []struct {
				Alert string `yaml:"alertname"`
				Fires []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	read(t, "rules_test.yaml", &tests)
	fires := map[string]bool{}
	for _, test := range tests.Tests {
		for _, c := range test.Checks {
			fires[c.Alert] = fires[c.Alert] || len(c.Fires) > 0
		}
	}
	n := 0
	for _, r := range rules(t) {
		if r.Alert != "" {
			n++
			assert.True(t, fires[r.Alert], r.Alert)
			assert.NotEmpty(t, r.Labels["severity"], r.Alert)
			assert.NotEmpty(t, r.Annotations["summary"], r.Alert)
		}
	}
	assert.Len(t, fires, n, "no test is for an alert that is gone")
}

type rule struct {
	Alert, Record, Expr string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	read(t, "rules.yaml", &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

func read(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(b, v))
}

// panel is the part of a panel that the test checks.
type panel struct {
	ID          int
	Type, Title string
	GridPos     struct{ X, Y, W, H int }
	Datasource  map[string]string
	Targets     []struct{ Expr, RefID string }
	FieldConfig struct{ Defaults struct{ Unit string } }
}

func dashboard(t *testing.T) (panels []panel) {
	t.Helper()
	b, err := os.ReadFile("grafana/dashboard.json")
	require.NoError(t, err)
	var d struct {
		UID    string
		Panels []panel
	}
	require.NoError(t, json.Unmarshal(b, &d))
	require.NotEmpty(t, d.UID)
	require.NotEmpty(t, d.Panels)
	return d.Panels
}

// Panels have their own ids, do not cover each other, and have a unit.
func TestDashboardIsLaidOut(t *testing.T) {
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range dashboard(t) {
		assert.False(t, ids[p.ID], "%s: its id is another's", p.Title)
		ids[p.ID] = true
		assert.NotEmpty(t, p.Title)
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				assert.Empty(t, cells[[2]int{x, y}], "%s covers it", p.Title)
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" {
			assert.NotEmpty(t, p.Targets, p.Title)
			assert.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
			assert.Equal(t, "${datasource}", p.Datasource["uid"], p.Title)
		}
	}
}

// variables are Grafana's variables with values as in a query.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$job", "api", "$route", "/users/.*")

// Prometheus parses every query of the dashboard.
func TestDashboardQueries(t *testing.T) {
	var b strings.Builder
	b.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for _, p := range dashboard(t) {
		for _, q := range p.Targets {
			expr, err := json.Marshal(variables.Replace(q.Expr))
			require.NoError(t, err)
			b.WriteString("      - record: panel:" + strings.ToLower(regexp.MustCompile(`\W`).ReplaceAllString(p.Title, "_")) + q.RefID + "\n        expr: " + string(expr) + "\n")
		}
	}
	assert.NotContains(t, b.String(), "$")
	file := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	promtool(t, "check", "rules", file)
}

var ours = regexp.MustCompile(`\b(http|bulwark|error|server|network|url|cache|go|process)_[a-z_]+\b`)

// The service has every metric and label in the rules and the dashboard.
func TestNamesAreThoseOfTheService(t *testing.T) {
	text := scraped(t)
	known := map[string]bool{}
	for _, name := range ours.FindAllString(text, -1) {
		known[name] = true
	}
	check := func(where, expr string) {
		for _, name := range ours.FindAllString(expr, -1) {
			assert.True(t, known[name] || strings.HasPrefix(name, "http_server_errors"), "%s: %s", where, name)
		}
	}
	for _, r := range rules(t) {
		check(r.Alert+r.Record, r.Expr)
	}
	for _, p := range dashboard(t) {
		for _, q := range p.Targets {
			check(p.Title, q.Expr)
		}
	}
}

// scraped returns /metrics of a service that has had requests and calls of every kind.
func scraped(t *testing.T) string {
	t.Helper()
	m := telemetry.NewMetrics()
	m.OnLookup("hit")
	server := m.Server(logging.Config{Logger: slog.New(slog.DiscardHandler)})
	client := m.Client(logging.TransportConfig{})
	r := logging.Record{QueueWait: 1, Cause: &limits.Error{Reason: limits.ReasonInFlight}}
	server.OnStart(t.Context(), r)
	server.OnRecord(t.Context(), r)
	client.OnStart(t.Context(), r)
	client.OnRecord(t.Context(), r)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// The compose file is valid by the schema of the Compose Specification (Apache-2.0,
// github.com/compose-spec/compose-spec at 170098b), and the files that it mounts exist.
func TestComposeFile(t *testing.T) {
	schema, err := os.ReadFile("testdata/compose-spec.json")
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	require.NoError(t, c.AddResource("compose_spec.json", doc))
	compiled, err := c.Compile("compose_spec.json")
	require.NoError(t, err)

	var file map[string]any
	read(t, "../docker/compose.yaml", &file)
	asJSON, err := json.Marshal(file)
	require.NoError(t, err)
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	require.NoError(t, err)
	require.NoError(t, compiled.Validate(instance))

	services := file["services"].(map[string]any)
	for name, s := range services {
		volumes, _ := s.(map[string]any)["volumes"].([]any)
		for _, v := range volumes {
			source, _, _ := strings.Cut(v.(string), ":")
			if strings.HasPrefix(source, ".") {
				_, err := os.Stat(filepath.Join("../docker", source))
				assert.NoError(t, err, name)
			} else {
				assert.Contains(t, file["volumes"], source, name)
			}
		}
	}
	delete(services["prometheus"].(map[string]any), "image")
	services["prometheus"].(map[string]any)["imago"] = "x"
	asJSON, err = json.Marshal(file)
	require.NoError(t, err)
	instance, err = jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	require.NoError(t, err)
	require.Error(t, compiled.Validate(instance), "the schema notices a mistake")
}
