package costs

import (
	"errors"
	"fmt"

	"github.com/bulwark-go/bulwark/benchmarks/internal/quotas"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// quotaMemory measures the cost of a decision in memory, the memory of a key, and
// the effect of a flood of new keys.
func quotaMemory(e Effort) (report.Section, error) {
	keys, flood := 1_000_000, 10_000_000
	if e.Short {
		keys, flood = 10_000, 5_000
	}
	s := report.Section{
		Title: "A rate for each client, in memory",
		About: fmt.Sprintf("The first table has the nanoseconds of one decision: median [quartiles] over the rounds of one interleaved run, with 1 key and with %d keys, on 1 goroutine and on 8. The second has the memory of each of %d keys, and the effect of a flood of %d new keys. x/time/rate's map never forgets, Echo forgets after 3 minutes, go-limiter and tollbooth after hours, httprate and ulule/limiter after their window.", keys, keys, flood),
	}
	t := report.Table{Head: []string{"ns a decision"}}
	for _, n := range []int{1, keys} {
		goroutines := []int{1, 8}
		for at, costs := range quotas.Decisions(e.slow(40), 20_000, n, goroutines...) {
			t.Head = append(t.Head, fmt.Sprintf("%d keys, %d goroutines", n, goroutines[at]))
			for i, c := range costs {
				cell(&t, i, c.Name, fmt.Sprintf("%.0f [%.0f–%.0f]", c.Nanos.Median, c.Nanos.Q1, c.Nanos.Q3))
			}
			if n == keys && goroutines[at] == 1 {
				s.Bounds = append(s.Bounds, decisions(costs)...)
			}
		}
	}
	m := report.Table{Head: []string{"memory", "bytes a key", "MiB more after the flood", "ns a request of the flood", "frees a key that is being refused"}}
	for _, r := range quotas.Remember(keys, flood) {
		m.Rows = append(m.Rows, []string{r.Name, fmt.Sprintf("%.0f", r.Bytes), fmt.Sprintf("%.1f", r.Flood), fmt.Sprintf("%.0f", r.Nanos), yesNo(r.Frees)})
		if r.Name == stacks.Bulwark {
			s.Bounds = append(s.Bounds, report.AtMost("bytes a key", "%.0f", 100, r.Bytes))
		}
	}
	s.Tables = []report.Table{t, m}
	return s, nil
}

// decisions returns the bounds for a decision of the first limiter, which is
// Bulwark's: its time, and that it takes less time than a decision of each other
// limiter.
func decisions(costs []quotas.Cost) []report.Bound {
	ours := costs[0]
	bounds := []report.Bound{
		report.AtMost("ns a decision", "%.0f", 150, ours.Nanos.Median),
		report.AtMost("allocations", "%.0f", 0, ours.Allocs),
	}
	for _, c := range costs[1:] {
		switch c.Name {
		case quotas.HTTPRate, quotas.Tollbooth, quotas.GoLimiter, quotas.XTimeRate:
			bounds = append(bounds, report.AtMost("time, × "+c.Name, "%.2f", 1, ours.Nanos.Median/c.Nanos.Median))
		}
	}
	return bounds
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// quotaRedis measures the cost of a decision in a Redis on this machine.
func quotaRedis(e Effort) (report.Section, error) {
	many := 1_000_000
	if e.Short {
		many = 1000
	}
	s := report.Section{
		Title: "A rate for each client, in Redis",
		About: fmt.Sprintf("How long a client waits for a decision: median [quartiles] over the rounds of one interleaved run, with a server on this machine, with 1 key and with %d, on 1 goroutine, on 8 and on 64. Then how many decisions the server makes in one second of its CPU time. httprate-redis asks the server twice for each decision, and the first reply may be outdated when it counts the request. Bulwark asks on another goroutine, so that a decision ends at Timeout whatever the client library does. In a process that is otherwise idle, as with 1 goroutine here, waking that goroutine takes longer than the rest of what Bulwark does.", many),
	}
	waits, rates := report.Table{Head: []string{"µs a decision"}}, report.Table{Head: []string{"decisions a second of the server's CPU"}}
	for _, keys := range []int{1, many} {
		runs, err := quotas.InRedis(e.slow(20), 1000, keys, 1, 8, 64)
		if errors.Is(err, quotas.ErrNoRedis) {
			s.About += " Not measured here: redis-server is not installed."
			return s, nil
		}
		if err != nil {
			return s, err
		}
		for _, r := range runs {
			head := fmt.Sprintf("%d keys, %d goroutines", keys, r.Goroutines)
			waits.Head, rates.Head = append(waits.Head, head), append(rates.Head, head)
			for i, f := range r.Limiters {
				if f.Failures > 0 {
					return s, fmt.Errorf("%s failed %d times", f.Name, f.Failures)
				}
				cell(&waits, i, f.Name, fmt.Sprintf("%.0f [%.0f–%.0f]", f.Nanos.Median/1e3, f.Nanos.Q1/1e3, f.Nanos.Q3/1e3))
				cell(&rates, i, f.Name, fmt.Sprintf("%.0f", f.PerCore))
			}
		}
	}
	s.Tables = []report.Table{waits, rates}
	return s, nil
}

// cell adds a cell to a row. The first cell of a row is its name.
func cell(t *report.Table, row int, name, text string) {
	if len(t.Rows) <= row {
		t.Rows = append(t.Rows, []string{name})
	}
	t.Rows[row] = append(t.Rows[row], text)
}
