package stability_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/stability.txt")

const (
	root = "../../.."
	list = root + "/docs/stability.txt"
)

// A change to this list is a decision: from v1 on a breaking one needs a major version,
// and every other one an entry in CHANGELOG.md.
func TestWhatUsersRelyOnIsListed(t *testing.T) {
	var got []string
	for _, dir := range packages(t) {
		got = append(got, exported(t, dir)...)
	}
	got = append(got, answers(t)...)
	got = append(got, logKeys(t)...)
	got = append(got, metricNames(t)...)
	if *update {
		require.NoError(t, os.WriteFile(list, []byte(strings.Join(got, "\n")+"\n"), 0o644))
	}
	committed, err := os.ReadFile(list)
	require.NoError(t, err)
	want := strings.Split(strings.TrimSpace(string(committed)), "\n")
	for _, line := range want {
		assert.True(t, slices.Contains(got, line), "gone: %s", line)
	}
	for _, line := range got {
		assert.True(t, slices.Contains(want, line), "new: %s", line)
	}
}

// packages are the directories of the packages that are published.
func packages(t *testing.T) (dirs []string) {
	t.Helper()
	for _, pattern := range []string{root, root + "/*", root + "/adapters/*"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, dir := range found {
			sources, err := filepath.Glob(dir + "/*.go")
			require.NoError(t, err)
			name := filepath.Base(dir)
			if len(sources) > 0 && name != "examples" && name != "benchmarks" {
				dirs = append(dirs, dir)
			}
		}
	}
	require.GreaterOrEqual(t, len(dirs), 8)
	return dirs
}
