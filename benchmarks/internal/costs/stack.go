package costs

import (
	"fmt"
	"io"
	"net/http"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// peers are the whole stacks that people put together today.
var peers = []string{stacks.Chi, stacks.Gin, stacks.NetHTTP}

func config() stacks.Config {
	return stacks.Config{Limit: limit, Body: bodyLimit, Log: io.Discard}
}

// whole are all whole stacks around h, each with its bare framework.
func whole(h stacks.Handler) []measure.Contender {
	cs := []measure.Contender{{Name: "bare", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = h(w, r) })}}
	for _, s := range stacks.Whole() {
		base := "bare: " + s.Name
		cs = append(cs,
			measure.Contender{Name: base, Handler: s.Bare(h)},
			measure.Contender{Name: s.Name, Handler: s.New(config(), h), Base: base})
	}
	return cs
}

func stackWhole(e Effort) (report.Section, error) {
	s, err := stackOf(e, answers{reads: true})
	if err != nil {
		return s, err
	}
	s.Title = "The whole stack"
	s.Plots[0].File = "stack.svg"
	return s, nil
}

func stackAsked(e Effort) (report.Section, error) {
	s, err := stackOf(e, answers{reads: true, asks: true})
	s.Title = "The whole stack, and a handler that asks for Done"
	s.Plots = nil // that of the stack says enough
	return s, err
}

func stackOf(e Effort, h answers) (report.Section, error) {
	cs := measure.Interleave(e.Rounds, e.Batch, post(), whole(h.serve))
	best := peers[0]
	for _, p := range peers {
		if cs.Of(p).Adds.Median < cs.Of(best).Adds.Median {
			best = p
		}
	}
	ends, err := enforced()
	if err != nil {
		return report.Section{}, err
	}
	bars := report.Bars{Title: "What a whole stack adds to a request", Unit: "µs (median, quartiles)", Highlight: stacks.Bulwark, Pale: "leaves a stuck handler's client waiting"}
	for _, c := range cs {
		bars.Bars = append(bars.Bars, report.Bar{Name: c.Name, Value: c.Adds.Median / 1e3, Low: c.Adds.Q1 / 1e3, High: c.Adds.Q3 / 1e3, Pale: !ends[c.Name]})
	}
	t := table(cs, stacks.Floor)
	t.Head = append(t.Head, "a stuck handler's client")
	for i, r := range t.Rows {
		t.Rows[i] = append(r, map[bool]string{true: "is answered", false: "waits"}[ends[r[0]]])
	}
	return report.Section{
		About: interleaved + " A log line in JSON, a deadline, and a limit for the body, which has 1 KiB and is read.",
		Bounds: []report.Bound{
			times(cs, stacks.Bulwark, stacks.Floor, 1),
			report.AtMost("time, × the best peer stack ("+best+")", "%.2f", 0.5, cs.Ratio(stacks.Bulwark, best).Value),
			times(cs, stacks.Bulwark, stacks.Echo5, 1.2),
		},
		Tables: []report.Table{t},
		Plots:  []report.Bars{bars},
	}, nil
}

// enforced are those stacks that answer at the deadline, whatever the handler does.
func enforced() (map[string]bool, error) {
	ends := make(map[string]bool)
	ps, err := measure.Stuck{}.Deadline(1, 1, patience, func(h http.Handler) []measure.Contender {
		cfg := config()
		cfg.Limit = stuckLimit
		var cs []measure.Contender
		for _, s := range stacks.Whole() {
			cs = append(cs, measure.Contender{Name: s.Name, Handler: s.New(cfg, handler(h))})
		}
		return cs
	})
	for _, p := range ps {
		ends[p.Name] = p.Answered == 1
	}
	return ends, err
}

// handler is h as one that never fails.
func handler(h http.Handler) stacks.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

func load(e Effort) (report.Section, error) {
	h := answers{reads: true}
	cs := []measure.Contender{{Name: "bare", Handler: h}}
	for _, s := range stacks.Whole() {
		cs = append(cs, measure.Contender{Name: s.Name, Handler: s.New(config(), h.serve)})
	}
	ts, err := loads(e).Run(e.slow(15), rawPost(), cs)
	if err != nil {
		return report.Section{}, err
	}
	s := report.Section{
		Title:  "A server under load",
		About:  fmt.Sprintf("Requests per second over loopback on %d connections, POST with 1 KiB: median [quartiles] of interleaved rounds. Client and server share the machine.", conns),
		Bounds: []report.Bound{report.AtLeast("requests per second, × "+stacks.Floor, "%.2f", 1, ts.Ratio(stacks.Bulwark, stacks.Floor).Value)},
		Plots:  []report.Bars{{File: "load.svg", Title: "A server under load", Unit: "requests per second", Highlight: stacks.Bulwark}},
	}
	for _, p := range peers {
		s.Bounds = append(s.Bounds, report.AtLeast("requests per second, × "+p, "%.2f", 1.3, ts.Ratio(stacks.Bulwark, p).Value))
	}
	t := report.Table{Head: []string{"", "requests per second", "× bare", "× " + stacks.Floor}}
	for _, c := range ts {
		q := c.PerSecond
		t.Rows = append(t.Rows, []string{c.Name,
			fmt.Sprintf("%.0f [%.0f–%.0f]", q.Median, q.Q1, q.Q3),
			ratioOf(ts.Ratio(c.Name, "bare")), ratioOf(ts.Ratio(c.Name, stacks.Floor))})
		s.Plots[0].Bars = append(s.Plots[0].Bars, report.Bar{Name: c.Name, Value: q.Median, Low: q.Q1, High: q.Q3})
	}
	s.Tables = []report.Table{t}
	return s, nil
}
