package report

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/cpuid/v2"
)

// Run says where, when and with which versions the results were measured.
type Run struct {
	Machine  [][2]string // property and value
	Modules  [][2]string // path and version
	Finished time.Time
	Took     time.Duration
	Partial  string // why the results are incomplete; "" if they are complete
	Short    bool   // the figures have no meaning
}

// modules are the modules that are compared. Their dependencies are in go.mod.
var modules = []string{
	"github.com/go-chi/chi/v5", "github.com/go-chi/httplog/v3", "github.com/samber/slog-http", "github.com/samber/slog-gin",
	"github.com/gin-gonic/gin", "github.com/gin-contrib/timeout", "github.com/labstack/echo/v4", "github.com/labstack/echo/v5",
	"github.com/rs/zerolog", "github.com/failsafe-go/failsafe-go", "github.com/danielgtaylor/huma/v2",
}

// Here describes this machine and this binary.
func Here() Run {
	r := Run{Machine: [][2]string{
		{"CPU", cpuid.CPU.BrandName},
		{"cores", fmt.Sprintf("%d, GOMAXPROCS %d", runtime.NumCPU(), runtime.GOMAXPROCS(0))},
		{"system", system()},
		{"load at the start", load()},
		{"Go", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
	}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return r
	}
	for _, m := range info.Deps {
		if slices.Contains(modules, m.Path) {
			r.Modules = append(r.Modules, [2]string{m.Path, m.Version})
		}
	}
	return r
}

// system returns the name of the distribution, if it is known.
func system() string {
	f, err := os.Open("/etc/os-release")
	if err != nil {
		return runtime.GOOS
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, ok := strings.CutPrefix(s.Text(), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return runtime.GOOS
}

// load returns the load of the machine before the run.
func load() string {
	avg, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	lastMinute, _, _ := strings.Cut(string(avg), " ")
	return lastMinute + " (average of the last minute)"
}

// partial returns why the results are incomplete.
func (r Run) partial() string {
	if !r.Short {
		return r.Partial
	}
	return strings.TrimSuffix("a short run, whose figures have no meaning; "+r.Partial, "; ")
}

func (r Run) markdown(b *strings.Builder) {
	if why := r.partial(); why != "" {
		fmt.Fprintf(b, "\n**Incomplete: %s.**\n", why)
	}
	b.WriteString("\n")
	t := Table{Head: []string{"", ""}}
	t.Rows = append(t.Rows, []string{"date", r.Finished.UTC().Format("2006-01-02 15:04 MST") + ", after " + r.Took.Round(time.Second).String()})
	for _, m := range slices.Concat(r.Machine, r.Modules) {
		t.Rows = append(t.Rows, []string{m[0], m[1]})
	}
	t.markdown(b)
}
