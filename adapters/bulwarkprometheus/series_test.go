package bulwarkprometheus_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/logging"
)

// No data of a client becomes a new series.
func TestClientsMakeNoSeries(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		s := start(t, h2, endings)
		before := 0
		for round := range 2 {
			for i := range 40 {
				random := fmt.Sprintf("x%dy%d", round, i)
				method := []string{"GET", "POST", "BREW" + strings.ToUpper(random)}[i%3]
				path := []string{"/users/" + random, "/" + random, "/users/7?" + random}[i/3%3]
				req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
				require.NoError(t, err)
				req.Host = random + ".example"
				for _, h := range []string{"X-Request-Id", "User-Agent", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Content-Type", "Origin", random} {
					req.Header.Set(h, random)
				}
				res, err := s.Client().Do(req)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				s.next(t)
			}
			text := scrape(t, s.reg, "text/plain")
			assert.NotContains(t, text, "x0y")
			assert.NotContains(t, text, "X0Y")
			lines := strings.Count(text, "\n")
			if round == 1 {
				assert.Equal(t, before, lines, "the second round has made nothing new")
			}
			before = lines
		}
	})
}

// Series beyond the cache are counted all the same.
func TestSeriesBeyondTheCacheCount(t *testing.T) {
	reg := prometheus.NewRegistry()
	hooks := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg, Buckets: []float64{1}}).Server(logging.Config{})
	const routes = 2100
	for range 2 {
		for i := range routes {
			hooks.OnRecord(t.Context(), logging.Record{Route: fmt.Sprint("/", i), Outcome: logging.OutcomeOK, Status: 200})
		}
	}
	counts := (&service{reg: reg}).series(t, "http_server_request_duration_seconds_count")
	assert.Len(t, counts, routes)
	for _, line := range counts {
		assert.True(t, strings.HasSuffix(line, " 2"), line)
	}
}

func TestConcurrentRequestsAreAllCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	hooks := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg}).Server(logging.Config{})
	const workers, each = 16, 500
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				r := logging.Record{
					Method: "GET", Scheme: "http", Status: 200, Outcome: logging.OutcomeOK, Route: fmt.Sprint("/", rand.IntN(20)),
					TraceID: strings.Repeat("a", 32), SpanID: strings.Repeat("b", 16), TraceSampled: true, Start: time.Now(),
				}
				hooks.OnStart(context.Background(), r)
				hooks.OnRecord(context.Background(), r)
			}
		})
	}
	wg.Wait()
	total := 0
	for _, line := range (&service{reg: reg}).series(t, "http_server_request_duration_seconds_count") {
		var n int
		_, err := fmt.Sscan(line[strings.LastIndex(line, " "):], &n)
		require.NoError(t, err)
		total += n
	}
	assert.Equal(t, workers*each, total)
	assert.Equal(t, []string{`http_server_active_requests{http_request_method="GET",url_scheme="http"} 0`}, (&service{reg: reg}).series(t, "http_server_active"))
}

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	span        = "00f067aa0ba902b7"
	openMetrics = "application/openmetrics-text; version=1.0.0"
)

// A recorded trace is an exemplar of its bucket and of its counters. A trace that is not
// recorded is not.
func TestExemplars(t *testing.T) {
	for _, tt := range []struct {
		desc, parent string
		want         bool
	}{
		{"recorded", "00-" + traceID + "-" + span + "-01", true},
		{"not recorded", "00-" + traceID + "-" + span + "-00", false},
		{"none", "", false},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			s := start(t, false, endings)
			s.get(t, "/users/7", "Traceparent", tt.parent)
			s.get(t, "/stuck", "Traceparent", tt.parent)
			for _, name := range []string{
				`http_server_request_duration_seconds_bucket{`, `bulwark_server_abandoned_handlers_total{http_route="/stuck"}`,
			} {
				found := false
				for line := range strings.SplitSeq(scrape(t, s.reg, openMetrics), "\n") {
					found = found || strings.HasPrefix(line, name) &&
						(strings.Contains(line, `# {trace_id="`+traceID+`",span_id="`+span+`"}`) || strings.Contains(line, `# {span_id="`+span+`",trace_id="`+traceID+`"}`))
				}
				assert.Equal(t, tt.want, found, name)
			}
		})
	}
}

// A bucket gets a new exemplar after a second, and each bucket has its own. Ids that the
// application made up are not exemplars.
func TestExemplarsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		hooks := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: reg, Buckets: []float64{1, 2}}).Server(logging.Config{})
		seen := func(id string) bool { return strings.Contains(scrape(t, reg, openMetrics), id) }
		serve := func(id string, took time.Duration) {
			hooks.OnRecord(t.Context(), logging.Record{
				Outcome: logging.OutcomeOK, Status: 200, Start: time.Now().Add(-took), Duration: took,
				TraceID: id, SpanID: span, TraceSampled: true,
			})
		}
		id := func(c string) string { return strings.Repeat(c, 32) }
		serve(id("a"), 0)
		serve(id("b"), 0)
		serve(id("c"), 5*time.Second)
		assert.True(t, seen(id("a")))
		assert.False(t, seen(id("b")), "in the same second")
		assert.True(t, seen(id("c")), "in another bucket")
		time.Sleep(time.Second)
		serve(id("d"), 0)
		assert.True(t, seen(id("d")))
		assert.False(t, seen(id("a")))
		for _, odd := range []string{"", "e", strings.Repeat("e", 200)} {
			time.Sleep(time.Second)
			serve(odd, 0)
		}
		assert.True(t, seen(id("d")))
	})
}

func TestNativeHistogramsIfConfigured(t *testing.T) {
	for _, native := range []bool{false, true} {
		s := start(t, false, endings, func(c *bulwarkprometheus.Config, _ *bulwark.Config) { c.NativeHistograms = native })
		s.get(t, "/users/7")
		call(t, s, s.metrics.Client(logging.TransportConfig{}), "/users/7")
		families, err := s.reg.Gather()
		require.NoError(t, err)
		seen := 0
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if h := m.GetHistogram(); h != nil {
					seen++
					assert.Len(t, h.GetBucket(), 14, "the classic ones stay")
					assert.Equal(t, native, len(h.GetPositiveSpan()) > 0, f.GetName())
				}
			}
		}
		assert.Equal(t, 2, seen)
	}
}
