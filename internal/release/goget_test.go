//go:build unix

package release_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// published are the modules: what a user gets to use each, what is imported then, and
// the whole module graph of a service that has nothing else. An adapter's graph is that
// of its framework, so only what must not be in it is listed.
var published = []struct {
	path     string
	get      string
	packages []string
	graph    []string
	without  []string
}{
	{core, core + "/...", []string{core, core + "/timeout", core + "/limits", core + "/errmap", core + "/logging"}, coreGraph, nil},
	{core, core + "/timeout", []string{core + "/timeout"}, coreGraph, nil},
	{core + "/adapters/bulwarkgin", core + "/adapters/bulwarkgin", []string{core + "/adapters/bulwarkgin"}, nil, []string{core, "github.com/labstack/echo/v5"}},
	{core + "/adapters/bulwarkecho", core + "/adapters/bulwarkecho", []string{core + "/adapters/bulwarkecho"}, nil, []string{core, "github.com/gin-gonic/gin"}},
	{core + "/adapters/bulwarkotel", core + "/adapters/bulwarkotel", []string{core + "/adapters/bulwarkotel"}, nil, []string{"github.com/prometheus/client_golang"}},
	{core + "/adapters/bulwarkprometheus", core + "/adapters/bulwarkprometheus", []string{core + "/adapters/bulwarkprometheus"}, nil, []string{"go.opentelemetry.io/otel"}},
	{core + "/adapters/bulwarkredis", core + "/adapters/bulwarkredis", []string{core + "/adapters/bulwarkredis"}, nil, []string{"github.com/prometheus/client_golang"}},
}

// requiring are the modules that require the core.
var requiring = []string{core + "/adapters/bulwarkotel", core + "/adapters/bulwarkprometheus", core + "/adapters/bulwarkredis"}

// coreGraph is the promise of the core's go.mod: x/sync, and what the core's tests
// need.
var coreGraph = []string{core, "github.com/stretchr/testify", "go.uber.org/goleak", "go.yaml.in/yaml/v3", "golang.org/x/sync"}

// The modules that the scripts tag can be fetched with go get, from a module proxy that
// consists of files.
func TestGoGet(t *testing.T) {
	dir := clone(t)
	out, err := release(dir, version)
	require.NoError(t, err, out)
	cache := t.TempDir()
	fetch(t, dir, cache, core, core+"/adapters/bulwarkgin", core+"/adapters/bulwarkecho")
	env := consumer(t, filepath.Join(cache, "cache", "download"))

	head := git(t, dir, "rev-parse", "HEAD")
	out, err = command(dir, env, "bash", "internal/release/release-adapters.sh", version)
	require.NoError(t, err, out)
	assert.Equal(t, head, git(t, dir, "rev-parse", "HEAD"), "no branch moves")
	assert.Empty(t, git(t, dir, "status", "--porcelain"))
	assert.Contains(t, out, "git push --atomic origin adapters/bulwarkotel/"+version+" adapters/bulwarkprometheus/"+version+" adapters/bulwarkredis/"+version)
	assert.Equal(t, head, git(t, dir, "rev-parse", "adapters/bulwarkredis/"+version+"~1"), "one commit on top of the core's")
	fetch(t, dir, cache, requiring...)
	out, err = command(dir, env, "bash", "internal/release/release-adapters.sh", version)
	require.Error(t, err)
	assert.Contains(t, out, "release: the tag adapters/bulwarkotel/"+version+" exists")

	for _, m := range published {
		t.Run(m.get, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "main.go", "package main\n\nimport (\n\t_ \""+strings.Join(m.packages, "\"\n\t_ \"")+"\"\n)\n\nfunc main() {}\n")
			must(t, dir, env, "go", "mod", "init", "example.com/service")
			must(t, dir, env, "go", "get", m.get+"@"+version)
			must(t, dir, env, "go", "list", "-deps", ".") // everything but the compilation
			if m.path == core {
				must(t, dir, env, "go", "build", "-o", os.DevNull, ".") // a framework takes minutes, and its adapter's tests build it as well
			}

			graph := modules(must(t, dir, env, "go", "mod", "graph"))
			if m.graph != nil {
				assert.ElementsMatch(t, m.graph, graph)
			}
			for _, path := range m.without {
				assert.NotContains(t, graph, path)
			}
			root := must(t, dir, env, "go", "list", "-m", "-f", "{{.Dir}}", m.path)
			assert.FileExists(t, filepath.Join(root, "LICENSE"), "pkg.go.dev shows nothing without")
			for _, name := range []string{"examples", "benchmarks", "adapters", filepath.Join("internal", "release"), filepath.Join("internal", "itest")} {
				assert.NoDirExists(t, filepath.Join(root, name))
			}
		})
	}
}

// modules returns the paths of what a module graph requires, in any version, without
// the go command itself.
func modules(graph string) []string {
	var paths []string
	for line := range strings.SplitSeq(graph, "\n") {
		_, required, _ := strings.Cut(line, " ")
		path, _, _ := strings.Cut(required, "@")
		if path != "go" && path != "toolchain" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// fetch has the go command fetch the tags as it does from their origin. A part of
// the module cache that it fills is laid out as a module proxy.
func fetch(t *testing.T, origin, cache string, paths ...string) {
	t.Helper()
	env := []string{
		"GOMODCACHE=" + cache, "GOPROXY=direct", "GOSUMDB=off", "GOWORK=off", "GOFLAGS=-modcacherw", "GOTOOLCHAIN=local",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url." + origin + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + core,
	}
	args := []string{"mod", "download"}
	for _, path := range paths {
		args = append(args, path+"@"+version)
	}
	must(t, t.TempDir(), env, "go", args...)
}

// consumer returns the environment of a user who has only that proxy and, for modules
// that others have published, the ones in the local module cache: no request leaves the
// machine, so none for a path of ours is answered by another server. Sums are checked
// when modules are fetched, so not here.
func consumer(t *testing.T, proxy string) []string {
	t.Helper()
	for _, m := range published {
		must(t, filepath.Join("..", "..", strings.TrimPrefix(m.path, core)), []string{"GOWORK=off"}, "go", "mod", "download")
	}
	others := must(t, ".", nil, "go", "env", "GOMODCACHE")
	return []string{
		"GOMODCACHE=" + t.TempDir(), "GOPROXY=file://" + proxy + ",file://" + filepath.Join(others, "cache", "download"), "GOSUMDB=off",
		"GOWORK=off", "GOFLAGS=-modcacherw -buildvcs=false", "GOTOOLCHAIN=local",
	}
}
