//go:build unix

package release_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	core    = "github.com/bulwark-go/bulwark"
	version = "v1.2.3"
)

// tags are the tags of a release, in the order that git lists them.
var tags = []string{"adapters/bulwarkecho/" + version, "adapters/bulwarkgin/" + version, version}

// command runs a program in dir and returns what it writes on both outputs.
func command(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// must is command, and fails the test if the program fails.
func must(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := command(dir, env, name, args...)
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return out
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	return must(t, dir, nil, "git", args...)
}

// isolate keeps git from reading the configuration of this machine.
func isolate(t *testing.T) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "gitconfig")
	require.NoError(t, os.WriteFile(config, []byte("[user]\n\tname = A\n\temail = a@example.org\n[safe]\n\tdirectory = *\n"), 0o600))
	t.Setenv("GIT_CONFIG_GLOBAL", config)
	t.Setenv("GIT_CONFIG_SYSTEM", os.DevNull)
}

// clone returns a repository with one commit: the working tree with all uncommitted
// changes, and an entry for version in its CHANGELOG.
func clone(t *testing.T) string {
	t.Helper()
	isolate(t)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	for name := range strings.SplitSeq(git(t, root, "ls-files", "--cached", "--others", "--exclude-standard"), "\n") {
		b, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	write(t, dir, "CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n")
	git(t, dir, "init", "--quiet")
	commit(t, dir)
	return dir
}

func commit(t *testing.T, dir string) {
	t.Helper()
	git(t, dir, "add", "--all")
	git(t, dir, "commit", "--quiet", "-m", "x")
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
}

// change replaces the first old in a file, and commits it.
func change(t *testing.T, dir, name, old, replacement string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	require.Contains(t, string(b), old)
	write(t, dir, name, strings.Replace(string(b), old, replacement, 1))
	commit(t, dir)
}

func release(dir string, args ...string) (string, error) {
	return command(dir, nil, "bash", append([]string{"internal/release/release.sh"}, args...)...)
}

func TestRelease(t *testing.T) {
	dir, remote := clone(t), t.TempDir()
	git(t, remote, "init", "--quiet", "--bare")
	git(t, dir, "remote", "add", "origin", remote)

	out, err := release(dir, version)
	require.NoError(t, err, out)
	assert.Equal(t, tags, strings.Fields(git(t, dir, "tag", "--points-at", "HEAD")))
	assert.Empty(t, git(t, dir, "status", "--porcelain"))
	assert.Empty(t, git(t, remote, "tag"), "nothing is pushed by itself")

	push := strings.Fields(out[strings.LastIndex(out, "\n")+1:])
	require.Equal(t, []string{"git", "push"}, push[:2])
	git(t, dir, push[1:]...)
	assert.Equal(t, tags, strings.Fields(git(t, remote, "tag")))
}

func TestRefusals(t *testing.T) {
	gomod, start := "adapters/bulwarkgin/go.mod", clone(t)
	for _, tc := range []struct {
		desc    string
		prepare func(t *testing.T, dir string)
		want    string
	}{
		{"a changed file", func(t *testing.T, dir string) { write(t, dir, "README.md", "") }, "the working tree is not clean"},
		{"a file that git does not know", func(t *testing.T, dir string) { write(t, dir, "new.go", "") }, "the working tree is not clean"},
		{"no entry", func(t *testing.T, dir string) { change(t, dir, "CHANGELOG.md", "[1.2.3]", "[1.2.30]") }, `CHANGELOG.md has no entry "## [1.2.3] - " and a date`},
		{"no date", func(t *testing.T, dir string) { change(t, dir, "CHANGELOG.md", "[1.2.3] - 2026-01-02", "[1.2.3]") }, `CHANGELOG.md has no entry "## [1.2.3] - " and a date`},
		{"another path", func(t *testing.T, dir string) { change(t, dir, gomod, "bulwarkgin", "gin") }, gomod + " is not the module " + core + "/adapters/bulwarkgin"},
		{"the core required", func(t *testing.T, dir string) { change(t, dir, gomod, "require (", "require (\n\t"+core+" v0.0.0") }, gomod + " replaces, excludes or requires what only this repository has"},
		{"the core required, in a line", func(t *testing.T, dir string) {
			change(t, dir, gomod, "require (", "require "+core+" v0.0.0\n\nrequire (")
		}, gomod + " replaces, excludes or requires what only this repository has"},
		{"a replacement", func(t *testing.T, dir string) {
			change(t, dir, "go.mod", "require (", "replace a => ../a\n\nrequire (")
		}, "go.mod replaces, excludes or requires what only this repository has"},
		{"the core's tag", func(t *testing.T, dir string) { git(t, dir, "tag", version) }, "the tag v1.2.3 exists"},
		{"an adapter's tag", func(t *testing.T, dir string) { git(t, dir, "tag", tags[1]) }, "the tag adapters/bulwarkgin/v1.2.3 exists"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			dir := t.TempDir()
			git(t, start, "clone", "--quiet", ".", dir)
			tc.prepare(t, dir)
			before := git(t, dir, "tag")
			out, err := release(dir, version)
			require.Error(t, err)
			assert.Equal(t, "release: "+tc.want, out, "one line, and nothing else")
			assert.Equal(t, before, git(t, dir, "tag"))
		})
	}
}

func TestVersions(t *testing.T) {
	dir := clone(t)
	for _, bad := range []string{
		"", "1.2.3", "v1.2", "v1.2.3.4", "v01.2.3", "v1.02.3", "v1.2.3+meta", "v1.2.3-", "v1.2.3-rc..1", "v1.2.3-01", "v1.2.3 ", "v2.0.0", "v10.0.0",
		"latest", "-d", "v1.2.3\n", "v1.2.x",
	} {
		out, err := release(dir, bad)
		require.Error(t, err, "%q", bad)
		assert.Equal(t, `release: "`+bad+`" is not a version such as v0.1.0 or v1.2.3-rc.1`, out)
	}
	for _, args := range [][]string{nil, {version, version}} {
		out, err := release(dir, args...)
		require.Error(t, err)
		assert.Equal(t, "release: want one version, such as v1.2.3", out)
	}
	assert.Empty(t, git(t, dir, "tag"))

	for _, good := range []string{"v0.0.0", "v0.1.0", "v1.20.300", "v1.2.3-rc.1", "v1.2.3-0a.b-c"} {
		write(t, dir, "CHANGELOG.md", "## ["+good[1:]+"] - 2026-01-02\n")
		commit(t, dir)
		out, err := release(dir, good)
		require.NoError(t, err, out)
	}
}

// If a tag cannot be made, for example because it cannot be signed, the tags before it
// are deleted, so that the script can be run again.
func TestFailedReleaseLeavesNoTag(t *testing.T) {
	dir := clone(t)
	hook := filepath.Join(".git", "hooks", "reference-transaction")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".git", "hooks"), 0o700))
	write(t, dir, hook, "#!/bin/sh\n[ \"$1\" != prepared ] || ! grep -q '^0* .*bulwarkgin'\n")
	require.NoError(t, os.Chmod(filepath.Join(dir, hook), 0o700))
	_, err := release(dir, version)
	require.Error(t, err)
	assert.Empty(t, git(t, dir, "tag"))

	require.NoError(t, os.Remove(filepath.Join(dir, hook)))
	out, err := release(dir, version)
	require.NoError(t, err, out)
}
