package bulwarkprometheus_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/quota"
	"github.com/bulwark-go/bulwark/timeout"
)

// zipped is 4 MiB that are small on the wire.
func zipped() io.Reader {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(make([]byte, 4<<20))
	_ = z.Close()
	return &b
}

// Each limit and quota has its reason, whether it refuses the request before the handler
// or while that reads, and also with Shadow, which refuses nothing.
func TestRefusalsByReason(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, tt := range []struct {
		desc   string
		path   string
		body   func() io.Reader
		header []string
		route  string
		reason string
		policy string
		status int
		shadow int // the status with Shadow
	}{
		{"a declared body", "/", func() io.Reader { return strings.NewReader(strings.Repeat("x", 1<<20)) }, nil, "", "body", "", 413, 200},
		{"a body in chunks", "/", func() io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20))) }, nil, "POST /", "body", "", 413, 200},
		{"decoded too much", "/", zipped, []string{"Content-Encoding", "gzip"}, "POST /", "ratio", "", 413, 200},
		{"an unknown encoding", "/", func() io.Reader { return strings.NewReader("x") }, []string{"Content-Encoding", "br"}, "", "coding", "", 415, 200},
		{"a long target", "/?" + long, nil, nil, "", "uri", "", 414, 200},
		{"a large header", "/", nil, []string{"X-Large", long}, "", "header", "", 431, 200},
		{"a quota", "/quota", nil, nil, "/quota", "quota", "client", 429, 200},
	} {
		for _, shadow := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, shadow %t", tt.desc, shadow), func(t *testing.T) {
				s := start(t, false, func(s *service) http.Handler { return refusing(s, shadow) },
					func(_ *bulwarkprometheus.Config, c *bulwark.Config) {
						c.Limits = limits.Config{
							MaxBodyBytes: 1 << 18, MaxDecodedBytes: 64 << 20, MaxDecodeRatio: 10,
							MaxURIBytes: 1000, MaxHeaderBytes: 1000, Shadow: shadow,
						}
					})
				var body io.Reader
				if tt.body != nil {
					body = tt.body()
				}
				status, route, method := tt.status, tt.route, http.MethodPost
				if shadow {
					status, route = tt.shadow, "/"
					if tt.path == "/quota" {
						route = tt.path
					}
				}
				if tt.policy != "" {
					assert.Equal(t, 200, s.do(t, method, tt.path, nil), "the first one")
				}
				assert.Equal(t, status, s.do(t, method, tt.path, body, tt.header...))
				assert.Equal(t, []string{fmt.Sprintf(
					"bulwark_server_refusals_total{bulwark_policy=%q,bulwark_reason=%q,bulwark_shadow=\"%t\",http_route=%q} 1",
					tt.policy, tt.reason, shadow, strings.TrimPrefix(route, "POST "))}, s.series(t, "bulwark_server_refusals"))
			})
		}
	}
}

// refusing is a handler that reads its body, and one with a quota.
func refusing(s *service, shadow bool) http.Handler {
	reads := s.errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	})
	mux := http.NewServeMux()
	mux.Handle("POST /", reads)
	mux.Handle("POST /quota", quota.New(quota.Config{
		Rate: quota.Rate{Requests: 1, Per: time.Hour}, Name: "client", Shadow: shadow,
	})(reads))
	return mux
}

// An error of a call that a handler returns is not a refusal of its request, and trees
// of errors may be hostile.
func TestErrorsThatAreNotRefusals(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	hooks := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg}).Server(logging.Config{})
	cycle := &cyclic{}
	cycle.err = cycle
	wide := &cyclic{}
	wide.all = []error{wide, wide, &limits.Error{Reason: limits.ReasonURI}}
	for _, err := range []error{
		&limits.Error{Reason: limits.ReasonResponse},
		fmt.Errorf("asking: %w", &timeout.Error{Phase: timeout.PhaseBudget}),
		&timeout.Error{Phase: timeout.PhaseHandler},
		errors.New("x"), cycle,
		(*limits.Error)(nil), (*quota.Error)(nil), (*timeout.Error)(nil), (*http.MaxBytesError)(nil),
	} {
		hooks.OnStart(t.Context(), logging.Record{})
		hooks.OnRecord(t.Context(), logging.Record{Cause: err, Remarks: []error{err, nil}})
	}
	assert.Empty(t, (&service{reg: reg}).series(t, "bulwark_server_refusals"))

	hooks.OnRecord(t.Context(), logging.Record{Cause: wide}) // is bounded
	hooks.OnRecord(t.Context(), logging.Record{Cause: fmt.Errorf("x: %w", &timeout.Error{Phase: timeout.PhaseBudget}), Outcome: logging.OutcomeRefused})
	hooks.OnRecord(t.Context(), logging.Record{Cause: errors.Join(errors.New("x"), fmt.Errorf("y: %w", &limits.Error{Reason: limits.ReasonRate}))})
	assert.Equal(t, []string{
		`bulwark_server_refusals_total{bulwark_policy="",bulwark_reason="budget",bulwark_shadow="false",http_route=""} 1`,
		`bulwark_server_refusals_total{bulwark_policy="",bulwark_reason="rate",bulwark_shadow="false",http_route=""} 1`,
	}, (&service{reg: reg}).series(t, "bulwark_server_refusals"))
}

// cyclic is an error that unwraps to any error, also to itself.
type cyclic struct {
	err error
	all []error
}

func (c *cyclic) Error() string { return "cyclic" }

func (c *cyclic) Unwrap() []error {
	if c.all != nil {
		return c.all
	}
	return []error{c.err}
}
