package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/benchmarks/internal/costs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRefuses: what is mistyped gets one line.
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
		"directory": {[]string{"-out", filepath.Join(dir, "missing")}, "-out is no directory: "},
		"help":      {[]string{"-h"}, flag.ErrHelp.Error()},
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

// TestRun: a little, from the command line to the page. Not of the rows in which
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
	assert.Contains(t, string(page), "**Not the whole of it: a short run, whose figures mean nothing; only timeout,")
	assert.Contains(t, string(page), "github.com/go-chi/chi/v5 | v5.")
	assert.NotContains(t, string(page), "NaN")
	assert.FileExists(t, filepath.Join(dir, "load.svg"))
}

// TestRows: each has a name of its own, and the endings are among them.
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
