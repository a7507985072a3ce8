package stability_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const repository = "../../.."

// The tests, files and names that docs/reliance.md lists exist.
func TestRelianceListsWhatExists(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(repository, "docs/reliance.md"))
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 3 || !strings.Contains(cells[2], "`Test") {
			continue
		}
		rows++
		checkNames(t, cells[1])
		checkTests(t, cells[2])
	}
	assert.Greater(t, rows, 20)
}

var quoted = regexp.MustCompile("`([^`]+)`")

// checkNames checks the files and the names in cell: each name is in one of the files
// before it.
func checkNames(t *testing.T, cell string) {
	t.Helper()
	var code string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		name := m[1]
		if !strings.ContainsAny(name, "./") && code != "" {
			assert.True(t, regexp.MustCompile(`\b`+regexp.QuoteMeta(name)+`\b`).MatchString(code), "there is no %s: %s", name, cell)
			continue
		}
		if !strings.Contains(name, "/") && strings.HasSuffix(name, ".go") {
			name = "internal/exchange/" + name
		}
		code += source(t, name)
	}
	assert.NotEmpty(t, code, cell)
}

// source returns the code of a file, or of a package without its tests.
func source(t *testing.T, path string) (code string) {
	t.Helper()
	files := []string{filepath.Join(repository, path)}
	if !strings.HasSuffix(path, ".go") {
		files, _ = filepath.Glob(filepath.Join(repository, path, "*.go"))
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		assert.NoError(t, err)
		code += string(b)
	}
	assert.NotEmpty(t, code, path)
	return code
}

// checkTests checks that each package in cell has the tests that are listed after its
// name.
func checkTests(t *testing.T, cell string) {
	t.Helper()
	for part := range strings.SplitSeq(cell, ";") {
		pkg, _, _ := strings.Cut(strings.TrimSpace(part), " ")
		if pkg == "faults" {
			pkg = "internal/itest/faults"
		}
		files, _ := filepath.Glob(filepath.Join(repository, pkg, "*_test.go"))
		var code strings.Builder
		for _, f := range files {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			code.Write(b)
		}
		tests := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(part, -1)
		assert.NotEmpty(t, tests, part)
		for _, m := range tests {
			found := strings.Contains(code.String(), "func "+m[1]+"(") // assert.Contains would print all the code
			assert.True(t, found, "there is no %s in %s", m[1], pkg)
		}
	}
}
