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

// published are the modules: what somebody asks for who wants each, what is
// imported then, and the whole module graph of a service that has nothing else.
// Of the adapters, whose graph is that of their framework, it is said what must
// not be in it.
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
}

// coreGraph is the promise of the core's go.mod: x/sync, and what its own tests
// need.
var coreGraph = []string{core, "github.com/stretchr/testify", "go.uber.org/goleak", "go.yaml.in/yaml/v3", "golang.org/x/sync"}

// What the script tags can be had with go get, from a module proxy that is
// nothing but files.
func TestGoGet(t *testing.T) {
	dir := clone(t)
	out, err := release(dir, version)
	require.NoError(t, err, out)

	env := consumer(t, proxy(t, dir))
	for _, m := range published {
		t.Run(m.get, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "main.go", "package main\n\nimport (\n\t_ \""+strings.Join(m.packages, "\"\n\t_ \"")+"\"\n)\n\nfunc main() {}\n")
			must(t, dir, env, "go", "mod", "init", "example.com/service")
			must(t, dir, env, "go", "get", m.get+"@"+version)
			must(t, dir, env, "go", "list", "-deps", ".") // all there is to building it but the compiler
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
			for _, name := range []string{"examples", "benchmarks", "adapters", filepath.Join("internal", "release")} {
				assert.NoDirExists(t, filepath.Join(root, name))
			}
		})
	}
}

// modules are the paths of what a module graph requires, in any version, the go
// command itself aside.
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

// proxy has the go command fetch the tags as it does from their origin, and
// gives what it made of them: the part of a module cache that is laid out as a
// module proxy.
func proxy(t *testing.T, origin string) string {
	t.Helper()
	cache := t.TempDir()
	env := []string{
		"GOMODCACHE=" + cache, "GOPROXY=direct", "GOSUMDB=off", "GOWORK=off", "GOFLAGS=-modcacherw", "GOTOOLCHAIN=local",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url." + origin + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + core,
	}
	args := []string{"mod", "download"}
	for _, m := range published {
		if path := m.path + "@" + version; !slices.Contains(args, path) {
			args = append(args, path)
		}
	}
	must(t, t.TempDir(), env, "go", args...)
	return filepath.Join(cache, "cache", "download")
}

// consumer is the environment of somebody who has nothing but that proxy and,
// for what others have published, what the modules themselves are built with
// here: no request leaves the machine, so none for a path of ours is answered by
// anybody else. Fetching is what checks sums, so here there is nothing to check.
func consumer(t *testing.T, proxy string) []string {
	t.Helper()
	for _, m := range published {
		must(t, filepath.Join("..", "..", strings.TrimPrefix(m.path, core)), []string{"GOWORK=off"}, "go", "mod", "download")
	}
	others := must(t, ".", nil, "go", "env", "GOMODCACHE")
	return []string{
		"GOMODCACHE=" + t.TempDir(), "GOPROXY=file://" + proxy + ",file://" + filepath.Join(others, "cache", "download"), "GOSUMDB=off",
		// Without the paths of the cache what was compiled once can be used again.
		"GOWORK=off", "GOFLAGS=-modcacherw -trimpath -buildvcs=false", "GOTOOLCHAIN=local",
	}
}
