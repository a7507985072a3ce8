package costs

import (
	"io"
	"math"
	"net/http"
	"runtime"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

const (
	limit     = 10 * time.Second
	bodyLimit = 1 << 20
)

func timeoutAsked(e Effort) (report.Section, error) {
	cs := measure.Interleave(e.Rounds, e.Batch, get(), stacks.Deadlines(limit, answers{asks: true}))
	return report.Section{
		Title: "A deadline, and a handler that asks for Done",
		About: interleaved + " By hand, and in chi and Echo, nothing is enforced.",
		Bounds: []report.Bound{
			times(cs, stacks.Bulwark, stacks.Floor, 1.4),
			times(cs, stacks.Bulwark, stacks.TimeoutHandler, 0.5),
			allocs(cs, stacks.Bulwark, 13),
			report.AtMost("goroutines", "%.0f", 0, goroutines(stacks.Bulwark)),
		},
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}

// goroutines is how many more there are in a handler with a deadline: the most
// of many tries, since those of contenders that ran before may still be ending.
func goroutines(name string) float64 {
	var before, most int
	most = math.MinInt
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.Context().Done()
		most = max(most, runtime.NumGoroutine()-before)
	})
	for _, c := range stacks.Deadlines(limit, h) {
		for range 100 {
			if c.Name == name {
				before = runtime.NumGoroutine()
				measure.One(c.Handler, get())
			}
		}
	}
	return float64(most)
}

func timeoutUnasked(e Effort) (report.Section, error) {
	cs := measure.Interleave(e.Rounds, e.Batch, get(), stacks.Deadlines(limit, answers{}))
	return report.Section{
		Title: "A deadline, and a handler that never looks at its context",
		About: interleaved,
		Bounds: []report.Bound{
			times(cs, stacks.Bulwark, stacks.Floor, 0.8),
			allocs(cs, stacks.Bulwark, 6),
		},
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}

func limitsBody(e Effort) (report.Section, error) {
	cs := measure.Interleave(e.Rounds, e.Batch, post(), stacks.Bodies(bodyLimit, answers{reads: true}))
	return report.Section{
		Title: "A limit, and a body of 1 KiB",
		About: interleaved + " chi changes the server's own request, and Echo's reader comes from a pool, where the others make a copy.",
		Bounds: []report.Bound{
			times(cs, stacks.Bulwark, stacks.MaxBytesHandler, 1),
			allocs(cs, stacks.Bulwark, 2),
		},
		Tables: []report.Table{table(cs, stacks.MaxBytesHandler)},
	}, nil
}

func limitsPermit(e Effort) (report.Section, error) {
	cs := measure.Interleave(e.Rounds, e.Batch, get(), stacks.Permits(100, answers{}))
	return report.Section{
		Title:  "A limit of requests in flight, with room for one more",
		About:  interleaved,
		Tables: []report.Table{table(cs, "chi Throttle")},
	}, nil
}

func errmapAlone(e Effort) (report.Section, error) {
	cs := measure.Interleave(e.Rounds, e.Batch, get(), stacks.Errors())
	return report.Section{
		Title: "An error, wrapped once, and its answer",
		About: interleaved + " By hand: a chain of three errors.Is, and encoding/json. Bare sends the status and no body. Echo and huma look for an error of their own, and map nothing.",
		Bounds: append(errmapBounds(cs),
			allocs(cs, stacks.Rules50, 4),
			report.AtMost("time with 500 rules, × with 5, within 10 %", "%.2f", 1.1, cs.Ratio(stacks.Rules500, stacks.Rules5).Value)),
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}

func errmapBounds(cs measure.Costs) []report.Bound {
	return []report.Bound{times(cs, stacks.Rules50, stacks.Floor, 0.7)}
}

func errmapInStack(e Effort) (report.Section, error) {
	cs := measure.Interleave(e.Rounds, e.Batch, get(), stacks.InStack(stacks.ErrorsByHand()))
	return report.Section{
		Title:  "The same inside of other middleware of Bulwark's",
		About:  interleaved + " What the packages share is there already.",
		Bounds: errmapBounds(cs),
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}

func loggingOn(e Effort) (report.Section, error) {
	cs := measure.Interleave(e.Rounds, e.Batch, get(), stacks.Loggers(io.Discard, false, answers{}))
	return report.Section{
		Title: "A line in JSON",
		About: interleaved + " Bulwark and by hand: the same twelve attributes, to log/slog. What the others put into theirs is their documentation's; zerolog has an encoder of its own.",
		Bounds: []report.Bound{
			times(cs, stacks.Bulwark, stacks.Floor, 1.15),
			allocs(cs, stacks.Bulwark, 5),
		},
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}

func loggingOff(e Effort) (report.Section, error) {
	cs := measure.Interleave(e.Rounds, e.Batch, get(), stacks.Loggers(io.Discard, true, answers{}))
	return report.Section{
		Title:  "A line that the logger does not want",
		About:  interleaved,
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}
