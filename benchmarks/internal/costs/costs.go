// Package costs has the rows of the cost table: what each row compares, how it is
// measured, and its bounds. A cost is what a contender adds to a bare handler,
// which is the same handler in the same framework without middleware.
package costs

import (
	"fmt"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// Effort is how much is measured.
type Effort struct {
	Rounds int // rounds of turns for handlers in this process; slower measurements have fewer
	Batch  int // requests in a turn
	Short  bool
}

// slow returns the number of rounds for slow measurements.
func (e Effort) slow(n int) int {
	if e.Short {
		return 1
	}
	return max(1, n*e.Rounds/Full.Rounds)
}

// There are many small batches, because the machine is shared: most batches are
// then not disturbed.
var (
	Full  = Effort{Rounds: 1000, Batch: 50}
	Short = Effort{Rounds: 50, Batch: 50, Short: true}
)

// Row is a row of the cost table.
type Row struct {
	Name string
	Run  func(Effort) (report.Section, error)
}

// Rows returns all rows, in the order of the table.
func Rows() []Row {
	return []Row{
		{"timeout", timeoutAsked},
		{"timeout-unasked", timeoutUnasked},
		{"limits", limitsBody},
		{"limits-in-stack", limitsInStack},
		{"limits-permit", limitsPermit},
		{"errmap", errmapAlone},
		{"errmap-in-stack", errmapInStack},
		{"logging", loggingOn},
		{"logging-off", loggingOff},
		{"metrics", metrics},
		{"quota", quotaMemory},
		{"quota-redis", quotaRedis},
		{"stack", stackGet},
		{"stack-post", stackPost},
		{"cpu", cpu},
		{"memory", memory},
		{"load", load},
		{"deadline", deadline},
		{"stream", stream},
	}
}

const (
	interleaved = "The first column is what each adds to a bare handler in the same framework: median [quartiles] over the rounds of one interleaved run. × is the ratio of the medians [with the interval of 95 % of the resamples of the rounds]. The requests come on connections in memory and pass through net/http's own server to handlers behind a route, which respond with a little JSON. The garbage collector runs in few of the rounds, so the median does not include it; the allocations are counted."
	inStack     = interleaved + " The exchange, which the packages share, exists already."
)

// table returns a table of the costs. They are relative to the cost named to.
func table(cs measure.Costs, to string) report.Table {
	t := report.Table{Head: []string{"", "adds, ns a request", "× " + to, "allocations"}}
	for _, c := range cs {
		r := cs.Ratio(c.Name, to)
		t.Rows = append(t.Rows, []string{
			c.Name,
			fmt.Sprintf("%.0f [%.0f–%.0f]", c.Adds.Median, c.Adds.Q1, c.Adds.Q3),
			ratioOf(r),
			fmt.Sprintf("%.0f", c.Allocs),
		})
	}
	return t
}

// times returns a bound for one cost as a multiple of another.
func times(cs measure.Costs, name, to string, most float64) report.Bound {
	return report.AtMost("time, × "+to, "%.2f", most, cs.Ratio(name, to).Value)
}

func allocs(cs measure.Costs, most float64) report.Bound {
	return report.AtMost("allocations", "%.0f", most, cs.Of(stacks.Bulwark).Allocs)
}

func ratioOf(r measure.Ratio) string {
	return fmt.Sprintf("%.2f [%.2f–%.2f]", r.Value, r.Low, r.High)
}
