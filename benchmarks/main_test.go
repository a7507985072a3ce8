package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/benchmarks/internal/costs"
	"github.com/bulwark-go/bulwark/benchmarks/internal/overload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRefuses: a mistake on the command line is reported in one line.
func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	for desc, c := range map[string]struct {
		args []string
		want string
	}{
		"flag":      {[]string{"-fast"}, "flag provided but not defined: -fast"},
		"argument":  {[]string{"-out", dir, "stack"}, `unexpected argument "stack"`},
		"rounds":    {[]string{"-out", dir, "-rounds", "-1"}, "-rounds must not be negative: -1"},
		"row":       {[]string{"-out", dir, "-only", "stack,speed"}, `-only: there is no row "speed", only: timeout, `},
		"directory": {[]string{"-out", filepath.Join(dir, "missing")}, "-out is not a directory: "},
		"help":      {[]string{"-h"}, flag.ErrHelp.Error()},

		"check and another flag": {[]string{"-short", "-check"}, "-check cannot be combined with other flags"},
		"check of two":           {[]string{"-check", "a.json", "b.json"}, `unexpected argument "b.json"`},
	} {
		t.Run(desc, func(t *testing.T) {
			var usage strings.Builder
			_, err := parse(c.args, &usage)
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "\n")
			assert.Equal(t, desc == "help", usage.Len() > 0)
		})
	}
}

// TestRun runs a little, from the command line to the page, without the rows in which
// requests reach a deadline: gin-contrib/timeout has data races there.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	o, err := parse([]string{"-short", "-rounds", "2", "-out", dir, "-only", "timeout,limits,errmap,logging,load"}, nil)
	require.NoError(t, err)
	o.effort.Batch = 20
	var progress strings.Builder
	require.NoError(t, run(o, &progress))
	for _, r := range o.rows {
		assert.Contains(t, progress.String(), "] "+r.Name)
	}
	page, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "**Incomplete: a short run, whose figures have no meaning; only timeout,")
	assert.Contains(t, string(page), "github.com/go-chi/chi/v5 | v5.")
	assert.NotContains(t, string(page), "NaN")
	assert.NotContains(t, string(page), "missed")
	assert.FileExists(t, filepath.Join(dir, "load.svg"))

	o, err = parse([]string{"-check", filepath.Join(dir, "results.json")}, nil)
	require.NoError(t, err)
	assert.ErrorContains(t, run(o, io.Discard), "results.json: a short run, whose figures have no meaning")
}

// TestCheck: the exit code says whether the bounds are held.
func TestCheck(t *testing.T) {
	bound := `{"bounds":[{"row":"stack","what":"time","at_most":1,"figure":%s,"format":"%%.2f"}]}`
	for desc, c := range map[string]struct{ figure, says, want string }{
		"held":      {"1", "held", ""},
		"missed":    {"1.001", "MISSED", "results.json: bounds missed: 1"},
		"no figure": {"null", "MISSED", "results.json: bounds missed: 1"},
	} {
		t.Run(desc, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "results.json")
			require.NoError(t, os.WriteFile(name, fmt.Appendf(nil, bound, c.figure), 0o600))
			var said strings.Builder
			err := check(name, &said)
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
			assert.Contains(t, said.String(), c.says)
		})
	}
	assert.ErrorIs(t, check(filepath.Join(t.TempDir(), "results.json"), io.Discard), os.ErrNotExist)
}

// TestCheckByDefault: without a name the file is the one that a run writes.
func TestCheckByDefault(t *testing.T) {
	o, err := parse([]string{"-check"}, nil)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join("benchmarks", "results.json"), o.check)
}

// TestRows: each has its own name, and the endings are among them.
func TestRows(t *testing.T) {
	all := names(rows())
	assert.Len(t, all, len(costs.Rows())+1)
	assert.Contains(t, all, "endings")
	seen := map[string]bool{}
	for _, name := range all {
		assert.False(t, seen[name], name)
		seen[name] = true
	}
}

// TestRunOverload: a little of it, from the command line to the page.
func TestRunOverload(t *testing.T) {
	dir := t.TempDir()
	o, err := parseOverload([]string{"-short", "-out", dir}, nil)
	require.NoError(t, err)
	o.overload = overload.Effort{Warm: 200 * time.Millisecond, For: 300 * time.Millisecond, Loads: []float64{0.5}, Parallel: 2, Rounds: 1}
	var progress strings.Builder
	require.NoError(t, runOverload(o, &progress))
	assert.Contains(t, progress.String(), "OVERLOAD.md and the plot are in "+dir)
	page, err := os.ReadFile(filepath.Join(dir, "OVERLOAD.md"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "# Overload\n\nWritten by `go run ./benchmarks overload`;")
	assert.Contains(t, string(page), "| bursts of 10, exponential service | failsafe-go bulkhead | **")
	assert.NotContains(t, string(page), "NaN")
	svg, err := os.ReadFile(filepath.Join(dir, "overload.svg"))
	require.NoError(t, err)
	assert.Contains(t, string(svg), "chi ThrottleBacklog")

	// The next run of the other rows shows the section, too.
	require.NoError(t, run(options{out: dir}, io.Discard))
	_, sections, ok := strings.Cut(string(page), "\n\n4 workers")
	require.True(t, ok)
	results, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	require.NoError(t, err)
	assert.Contains(t, string(results), "\n## A server with more requests than it can serve\n\nFrom the run that [OVERLOAD.md](OVERLOAD.md) describes.\n\n4 workers"+sections)
}
