// Package costs has the rows of the cost table: what each compares, how, and the
// bounds that it is held to. Costs are what is added to a bare handler, which is
// the same handler in the same framework with nothing around it.
package costs

import (
	"fmt"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
)

// Effort is how much is measured.
type Effort struct {
	Rounds int // of turns of handlers in this process; others take a fraction
	Batch  int // requests a turn
	Short  bool
}

// slow is the number of rounds for what takes long.
func (e Effort) slow(n int) int {
	if e.Short {
		return 1
	}
	return max(1, n*e.Rounds/Full.Rounds)
}

// Efforts.
var (
	Full  = Effort{Rounds: 160, Batch: 1000}
	Short = Effort{Rounds: 8, Batch: 500, Short: true}
)

// Row is one row.
type Row struct {
	Name string
	Run  func(Effort) (report.Section, error)
}

// Rows are all of them, in the order of the table.
func Rows() []Row {
	return []Row{
		{"timeout", timeoutAsked},
		{"timeout-unasked", timeoutUnasked},
		{"limits", limitsBody},
		{"limits-permit", limitsPermit},
		{"errmap", errmapAlone},
		{"errmap-in-stack", errmapInStack},
		{"logging", loggingOn},
		{"logging-off", loggingOff},
		{"stack", stackWhole},
		{"stack-asked", stackAsked},
		{"memory", memory},
		{"load", load},
		{"deadline", deadline},
		{"stream", stream},
	}
}

const interleaved = "What each adds to a bare handler in the same framework: median [quartiles] over the rounds of one interleaved run; × is the ratio of the medians [and what 95 % of resamples of the rounds come to]."

// table of costs, relative to one of them.
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

// times is the bound of one cost as a multiple of another.
func times(cs measure.Costs, name, to string, most float64) report.Bound {
	return report.AtMost("time, × "+to, "%.2f", most, cs.Ratio(name, to).Value)
}

func allocs(cs measure.Costs, name string, most float64) report.Bound {
	return report.AtMost("allocations", "%.0f", most, cs.Of(name).Allocs)
}

func ratioOf(r measure.Ratio) string {
	return fmt.Sprintf("%.2f [%.2f–%.2f]", r.Value, r.Low, r.High)
}
