package timeout_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

func everyone(*http.Request) bool { return true }

// trusted has a limit of ten seconds, and trusts all callers.
func trusted(cfg timeout.Config) timeout.Config {
	cfg.Limit, cfg.TrustCaller = 10*time.Second, everyone
	return cfg
}

// Reported elsewhere: the caller's deadline is ignored, https://github.com/envoyproxy/envoy/issues/7358
func TestCallersBudget(t *testing.T) {
	max30 := trusted(timeout.Config{MaxCaller: 30 * time.Second})
	ours30 := trusted(timeout.Config{Max: 30 * time.Second})
	max20ours30 := trusted(timeout.Config{MaxCaller: 20 * time.Second, Max: 30 * time.Second})
	max30ours20 := trusted(timeout.Config{MaxCaller: 30 * time.Second, Max: 20 * time.Second})
	for _, tc := range []struct {
		desc   string
		cfg    timeout.Config
		header []string
		mws    []func(http.Handler) http.Handler
		want   time.Duration // until the 504
		caller bool          // the limit that was reached was the caller's
	}{
		{"none", trusted(timeout.Config{}), nil, nil, 10 * time.Second, false},
		{"grpc-timeout", trusted(timeout.Config{}), lists("Grpc-Timeout: 3S"), nil, 3 * time.Second, true},
		{"Envoy", trusted(timeout.Config{}), lists("X-Envoy-Expected-Rq-Timeout-Ms: 3000"), nil, 3 * time.Second, true},
		{"ours", trusted(timeout.Config{}), lists("X-Request-Timeout-Ms: 3000"), nil, 3 * time.Second, true},
		{"in any case", trusted(timeout.Config{}), lists("x-request-timeout-ms: 3000"), nil, 3 * time.Second, true},
		{"no trusted caller", timeout.Config{Limit: 10 * time.Second}, lists("Grpc-Timeout: 3S"), nil, 10 * time.Second, false},
		{"this one is not trusted", timeout.Config{
			Limit:       10 * time.Second,
			TrustCaller: func(r *http.Request) bool { return r.Header.Get("From") == "the gateway" },
		}, lists("Grpc-Timeout: 3S"), nil, 10 * time.Second, false},

		{"it cannot lengthen", trusted(timeout.Config{}), lists("Grpc-Timeout: 1M"), nil, 10 * time.Second, false},
		{"it lengthens under MaxCaller", max30, lists("Grpc-Timeout: 20S"), nil, 20 * time.Second, true},
		{"it lengthens up to MaxCaller", max30, lists("Grpc-Timeout: 1M"), nil, 30 * time.Second, false},
		{"Max alone does not let it lengthen", ours30, lists("Grpc-Timeout: 20S"), nil, 10 * time.Second, false},
		{"Max above MaxCaller does not either", max20ours30, lists("Grpc-Timeout: 1M"), nil, 20 * time.Second, false},
		{"Max under MaxCaller does not bound it", max30ours20, lists("Grpc-Timeout: 25S"), nil, 25 * time.Second, true},
		{"MaxCaller does not bound Override", max20ours30, lists("Grpc-Timeout: 1M"),
			mws(timeout.Override(time.Minute)), 30 * time.Second, false},
		{"it shortens under MaxCaller", max30, lists("Grpc-Timeout: 3S"), nil, 3 * time.Second, true},

		{"the shortest of several dialects", trusted(timeout.Config{}),
			lists("Grpc-Timeout: 5S", "X-Envoy-Expected-Rq-Timeout-Ms: 3000", "X-Request-Timeout-Ms: 4000"), nil, 3 * time.Second, true},
		{"the shortest of several lines", trusted(timeout.Config{}),
			lists("X-Request-Timeout-Ms: 4000", "X-Request-Timeout-Ms: 3000"), nil, 3 * time.Second, true},
		{"malformed is passed over", trusted(timeout.Config{}), lists("Grpc-Timeout: soon"), nil, 10 * time.Second, false},
		{"malformed beside a good one", trusted(timeout.Config{}),
			lists("Grpc-Timeout: soon", "X-Request-Timeout-Ms: 3000"), nil, 3 * time.Second, true},
		{"absurd is passed over", max30, lists("Grpc-Timeout: 99999999H"), nil, 10 * time.Second, false},

		{"Override cannot outlast it", trusted(timeout.Config{}), lists("Grpc-Timeout: 3S"),
			mws(timeout.Override(time.Minute)), 3 * time.Second, true},
		{"Override of none cannot either", trusted(timeout.Config{}), lists("Grpc-Timeout: 3S"),
			mws(timeout.Override(0)), 3 * time.Second, true},
		{"Override shorter than it", trusted(timeout.Config{}), lists("Grpc-Timeout: 3S"),
			mws(timeout.Override(time.Second)), time.Second, false},
		{"Override longer than Limit", trusted(timeout.Config{}), lists("Grpc-Timeout: 40S"),
			mws(timeout.Override(time.Minute)), 40 * time.Second, true},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, v variant) {
				look := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					untilDone(w, r)
					var e *timeout.Error
					if assert.ErrorAs(t, context.Cause(r.Context()), &e) {
						assert.Equal(t, tc.caller, e.Caller)
						assert.Equal(t, tc.want, e.Limit)
					}
				})
				v.bubble(t, chain(look, append(mws(timeout.New(tc.cfg)), tc.mws...)...), func(t *testing.T, s *testhttp.Server) {
					res := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody, tc.header...))
					assert.Equal(t, http.StatusGatewayTimeout, res.Status)
					assert.Equal(t, tc.want, res.Took)
				})
			})
		})
	}
}

func lists(lines ...string) []string { return lines }

// A budget that is spent, or less than MinBudget, is refused at once: the client gets a
// 504, the handler does not run, and the connection stays open.
func TestCallersBudgetSpent(t *testing.T) {
	minimum := trusted(timeout.Config{MinBudget: 50 * time.Millisecond})
	for _, tc := range []struct {
		desc, header string
		cfg          timeout.Config
		want         int
	}{
		{"zero", "X-Request-Timeout-Ms: 0", trusted(timeout.Config{}), http.StatusGatewayTimeout},
		{"zero, gRPC", "Grpc-Timeout: 0n", trusted(timeout.Config{}), http.StatusGatewayTimeout},
		{"negative", "X-Request-Timeout-Ms: -5", trusted(timeout.Config{}), http.StatusGatewayTimeout},
		{"under MinBudget", "X-Request-Timeout-Ms: 49", minimum, http.StatusGatewayTimeout},
		{"MinBudget exactly", "X-Request-Timeout-Ms: 50", minimum, http.StatusOK},
		{"no budget", "X-Nothing: 0", minimum, http.StatusOK},
		{"malformed", "X-Request-Timeout-Ms: none", minimum, http.StatusOK},
		{"spent, but not trusted", "X-Request-Timeout-Ms: 0", timeout.Config{Limit: time.Second}, http.StatusOK},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, v variant) {
				endings := make(chan exchange.Ending, 1)
				ran := false
				h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })
				v.bubble(t, observed(endings, nil)(timeout.New(tc.cfg)(h)), func(t *testing.T, s *testhttp.Server) {
					res := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody, tc.header))
					assert.NoError(t, res.Err)
					assert.Zero(t, res.Took)
					assert.Equal(t, tc.want, res.Status)
					assert.Empty(t, res.Header.Get("Connection"))
					e := <-endings
					assert.Equal(t, tc.want == http.StatusOK, ran)
					assert.Equal(t, tc.want != http.StatusOK, e.Outcome == exchange.Refused)
					if e.Outcome == exchange.Refused {
						assert.Equal(t, timeout.PhaseBudget, phaseOf(t, e.Cause))
					}
				})
			})
		})
	}
}

// A malformed budget is ignored, with a remark in the log record.
func TestCallersBudgetMalformedIsNoted(t *testing.T) {
	endings := make(chan exchange.Ending, 1)
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	variants[0].bubble(t, observed(endings, nil)(timeout.New(trusted(timeout.Config{}))(h)), func(t *testing.T, s *testhttp.Server) {
		s.Do(s.Request(t, http.MethodGet, "/", http.NoBody, "Grpc-Timeout: soon"))
		e := <-endings
		if assert.Len(t, e.Remarks, 1) {
			assert.EqualError(t, e.Remarks[0], "timeout: ignored Grpc-Timeout: malformed")
		}
		assert.NoError(t, e.Cause)
	})
}
