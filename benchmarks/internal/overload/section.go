// Package overload simulates a service that gets more requests than it can serve,
// over real sockets.
package overload

import (
	"fmt"
	"io"
	"math"

	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
)

// judged is the load to which the bounds apply, × capacity.
const judged = 3

// Section runs everything, and writes its progress to progress.
func Section(e Effort, progress io.Writer) (report.Section, error) {
	s := report.Section{
		Name: "overload", Title: "A server with more requests than it can serve",
		Tables: []report.Table{{Head: []string{"workload", ""}}},
		Lines: []report.Lines{{
			File: "overload.svg", Title: "Goodput under overload: Poisson arrivals, exponential service",
			X: "load, × capacity", Y: "requests answered within 1 s, % of capacity", Highlight: ours,
		}},
	}
	table, late := &s.Tables[0], 0.0
	for _, load := range e.Loads {
		table.Head = append(table.Head, fmt.Sprintf("%g ×", load))
	}
	for i, w := range workloads() {
		rows := make([][]string, len(contenders()))
		for j, load := range e.Loads {
			fmt.Fprintf(progress, "%s, %g × capacity\n", w.name, load)
			for k, c := range e.run(w, load, uint64(i*100+j)) {
				if j == 0 {
					rows[k] = []string{w.name, contenders()[k].name}
				}
				rows[k] = append(rows[k], c.String())
				late = max(late, c.late)
				if i == 0 {
					s.Lines[0].Add(contenders()[k].name, load, 100*c.goodput)
				}
				if load == judged && contenders()[k].name == ours {
					s.Bounds = append(s.Bounds, c.bounds(w)...)
				}
			}
		}
		table.Rows = append(table.Rows, rows...)
	}
	bare, refusing, err := refusals(e.Rounds, e.For/2)
	if err != nil {
		return s, err
	}
	s.Bounds = append(s.Bounds, report.AtMost(
		fmt.Sprintf("%% of a core that refusing adds to %d requests a second (%d × capacity)", int(flood*capacity), flood), "%.1f", 10, 100*(refusing-bare)))
	s.About = about(late, bare, refusing)
	return s, nil
}

func (c cell) bounds(w workload) []report.Bound {
	b := []report.Bound{report.AtLeast(fmt.Sprintf("goodput at %d ×, %s, %% of capacity", judged, w.name), "%.0f", 90, 100*c.goodput)}
	if w.burst == 1 {
		if math.IsNaN(c.p99) {
			c.p99 = math.Inf(1)
		}
		b = append(b, report.AtMost(fmt.Sprintf("p99 of the served at %d ×, %s", judged, w.name), "%.0f ms", patience.Seconds()*1e3/3, c.p99))
	}
	return b
}

func (c cell) String() string {
	if math.IsNaN(c.p50) {
		return fmt.Sprintf("**0 %%**, –, %.0f %%", 100*c.wasted)
	}
	return fmt.Sprintf("**%.0f %%**, %.0f / %.0f, %.0f %%", 100*c.goodput, c.p50, c.p99, 100*c.wasted)
}

func about(late, bare, refusing float64) string {
	return fmt.Sprintf(`%d workers take turns at the requests in flight. Each request needs %v of service on average, so the capacity is %.0f requests a second. Requests come in an open loop, at the given multiples of the capacity. A client that gets no response within %v gives up. A client that is not served tries once more, after 0.5 to 1.5 seconds or after what Retry-After asks for.

Each cell has the **goodput** (the requests that got a 200 before their client gave up, in %% of the capacity), p50 / p99 of the latency of these requests in ms, and the part of the work that was wasted on other requests. All are configured with %d requests in flight, a queue of %d and a wait of %v, if they have these settings; the adaptive limiter finds its own limit.

The clients sent their requests at most %.0f ms late (p99 of the worst cell). If that is much, the machine was busy with something else, and the figures are not reliable. Refusals: %.0f requests a second, %d times the capacity, took %.0f %% of a core, including the clients, with a server that refuses all at once, and %.0f %% with Bulwark's queue and workers.`,
		workers, service, capacity, patience, workers, backlog, maxWait, late, flood*capacity, flood, 100*bare, 100*refusing)
}
