package logging_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
)

// sampled runs requests with the given traces and returns which of them were logged.
func sampled(t *testing.T, share float64, status int, traces []string) map[string]bool {
	t.Helper()
	k := &keeper{}
	records := 0
	h := logging.New(logging.Config{
		Logger: slog.New(k), Slow: time.Hour, Sample: func(logging.Record) float64 { return share },
		OnRecord: func(context.Context, logging.Record) { records++ },
	})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	for _, tr := range traces {
		r := httptest.NewRequest("GET", "/"+tr, nil)
		if len(tr) == 32 {
			r.Header.Set("Traceparent", "00-"+tr+"-b7ad6b7169203331-01")
		} else {
			r.Header.Set("X-Request-Id", tr)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	require.Equal(t, len(traces), records, "OnRecord sees them all")
	kept := map[string]bool{}
	for _, r := range k.kept {
		rate := -1.0
		r.Attrs(func(a slog.Attr) bool {
			switch a.Key {
			case "url.path":
				kept[a.Value.String()[1:]] = true
			case "sample_rate":
				rate = a.Value.Float64()
			}
			return true
		})
		if status < 500 && share > 0 && share < 1 {
			require.Equal(t, share, rate)
		} else {
			require.Equal(t, -1.0, rate)
		}
	}
	return kept
}

func TestSamplingFollowsTheTrace(t *testing.T) {
	for _, kind := range []string{"%016x%016x", "id-%016x-%016x"} {
		var ids []string
		for range 2000 {
			ids = append(ids, fmt.Sprintf(kind, rand.Uint64()|1<<63, rand.Uint64()))
		}
		quarter := sampled(t, 0.25, 200, ids)
		half := sampled(t, 0.5, 200, ids)
		require.InDelta(t, 500, len(quarter), 120)
		require.InDelta(t, 1000, len(half), 150)
		require.True(t, maps.Equal(half, sampled(t, 0.5, 200, ids)), "everybody decides alike")
		for id := range quarter {
			require.True(t, half[id], "the smaller share is part of the larger")
		}
	}
}

// OpenTelemetry's rule for the threshold: 0.5 keeps 0x80… and more.
func TestSamplingIsOpenTelemetrys(t *testing.T) {
	const head = "0af7651916cd43dd84"
	kept := sampled(t, 0.5, 200, []string{head + "7fffffffffffff", head + "80000000000000"})
	require.Equal(t, map[string]bool{head + "80000000000000": true}, kept)
}

// Reported elsewhere: with health checks, their failures are left out too, https://github.com/zalando/skipper/issues/1650
func TestFailuresAreAlwaysKept(t *testing.T) {
	require.Len(t, sampled(t, 0, 500, []string{"a", "b"}), 2)
	require.Empty(t, sampled(t, 0, 200, []string{"a", "b"}))
	require.Empty(t, sampled(t, -1, 200, []string{"a", "b"}))
	require.Len(t, sampled(t, 1, 200, []string{"a", "b"}), 2)
	require.Len(t, sampled(t, 7, 200, []string{"a", "b"}), 2)
	require.Len(t, sampled(t, math.NaN(), 200, []string{"a", "b"}), 2)
}

func TestSlowRequestsAreAlwaysKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLines()
		h := logging.New(logging.Config{
			Logger: l.logger(), Slow: 100 * time.Millisecond, Sample: func(logging.Record) float64 { return 0 },
		})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			d, _ := time.ParseDuration(r.URL.Path[1:])
			<-time.After(d)
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/99ms", nil))
		l.none(t)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/100ms", nil))
		m := l.next(t)
		require.Equal(t, 0.1, m["http.server.request.duration"])
	})
}

func TestTTFBOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, _ *http.Request) {
			<-time.After(50 * time.Millisecond)
			_ = http.NewResponseController(w).Flush()
			<-time.After(time.Second)
		})
		require.Equal(t, 0.05, m["ttfb"])
		require.Equal(t, 1.05, m["http.server.request.duration"])
	})
}

func TestLevelIsTheCallers(t *testing.T) {
	var got logging.Record
	m, _ := serve(t, logging.Config{Level: func(r logging.Record) slog.Level { got = r; return slog.LevelWarn }},
		httptest.NewRequest("GET", "/x", nil), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	require.Equal(t, "WARN", m["level"])
	require.Equal(t, logging.OutcomeOK, got.Outcome)
	require.Equal(t, "/x", got.Path)
	require.Equal(t, 404, got.Status)
	require.Equal(t, m["request_id"], got.RequestID)
}

// Below the level nothing is built. The only allocations are the exchange, the record,
// the id and the ending.
func TestDisabledLoggerBuildsNothing(t *testing.T) {
	h := logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler), RequestHeaders: []string{"User-Agent"}})(http.HandlerFunc(bareHandler))
	w, r := &discardWriter{http.Header{}}, benchRequest()
	require.LessOrEqual(t, testing.AllocsPerRun(200, func() { h.ServeHTTP(w, r) }), 4.0)
}
