//go:build !race

package logging_test

import (
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
)

// allocations counts the allocations of a request. testing.AllocsPerRun rounds down,
// and a float costs slog's JSON handler half an allocation.
func allocations(h http.Handler) float64 {
	const runs = 2000
	r := benchRequest()
	var before, after runtime.MemStats
	serveMany(h, r, runs)
	runtime.ReadMemStats(&before)
	serveMany(h, r, runs)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / runs
}

func TestALogRecordTakesFourAllocations(t *testing.T) {
	log := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // the JSON is what costs
	mux := jsonMux()
	bare, hand, ours := allocations(mux), allocations(byHand(log, mux)), allocations(logging.New(logging.Config{Logger: log})(mux))
	one := func(a slog.Attr) float64 {
		return allocations(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { log.LogAttrs(r.Context(), 0, "", a) }))
	}
	float := one(slog.Float64("k", 0.000123)) - one(slog.Int("k", 1)) // what the JSON handler takes for the duration
	t.Logf("added: %.1f, by hand %.1f, of which a float %.1f", ours-bare, hand-bare, float)
	require.LessOrEqual(t, ours-bare-float, 4.1)
	require.Less(t, ours, hand)
}
