package costs

import (
	"fmt"
	"io"
	"net/http"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

func config() stacks.Config {
	return stacks.Config{Limit: limit, Body: bodyLimit, Log: io.Discard}
}

// whole returns all whole stacks around h, each with its bare framework.
func whole(h stacks.Handler) []measure.Contender {
	var cs []measure.Contender
	bare := map[string]bool{}
	for _, s := range stacks.Whole() {
		base := "bare " + s.Framework
		if !bare[base] {
			cs = append(cs, measure.Contender{Name: base, Handler: s.Bare(h)})
			bare[base] = true
		}
		cs = append(cs, measure.Contender{Name: s.Name, Handler: s.New(config(), h), Base: base})
	}
	return cs
}

func stackGet(e Effort) (report.Section, error) {
	s, cs, err := stackOf(e, get(), answers{asks: true})
	if err != nil {
		return s, err
	}
	s.Title = "The whole stack"
	s.About += " The requests are GET."
	s.Bounds = []report.Bound{
		times(cs, stacks.Bulwark, stacks.Floor, 1.05),
		allocs(cs, 11),
		times(cs, stacks.Bulwark, stacks.Chi, 0.6),
	}
	s.Plots[0].File = "stack.svg"
	return s, nil
}

func stackPost(e Effort) (report.Section, error) {
	s, cs, err := stackOf(e, post(), answers{reads: true, asks: true})
	if err != nil {
		return s, err
	}
	s.Title = "The whole stack, and a body of 1 KiB"
	s.About += " The requests are POST, and their body is read."
	s.Bounds = []report.Bound{
		times(cs, stacks.Bulwark, stacks.Floor, 1.15),
		times(cs, stacks.Bulwark, stacks.Chi, 0.6),
	}
	s.Plots = nil // the plot of the row "stack" is enough
	return s, nil
}

// stackOf compares whole stacks. The caller sets the bounds.
func stackOf(e Effort, raw []byte, h answers) (report.Section, measure.Costs, error) {
	cs, err := e.interleave(raw, http.StatusOK, whole(h.serve))
	if err != nil {
		return report.Section{}, nil, err
	}
	ends, err := enforced()
	if err != nil {
		return report.Section{}, nil, err
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
		About:  interleaved + " A log record in JSON, a deadline, and a limit for the body; the handler asks for Done.",
		Tables: []report.Table{t},
		Plots:  []report.Bars{bars},
	}, cs, nil
}

// enforced returns which stacks respond at the deadline even if the handler ignores
// it.
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

// handler adapts h to a handler that returns no error.
func handler(h http.Handler) stacks.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

func load(e Effort) (report.Section, error) {
	h := answers{reads: true}
	cs := []measure.Contender{{Name: "bare", Handler: stacks.Whole()[0].Bare(h.serve)}}
	for _, s := range stacks.Whole() {
		cs = append(cs, measure.Contender{Name: s.Name, Handler: s.New(config(), h.serve)})
	}
	ts, err := loads(e).Run(e.slow(15), post(), cs)
	if err != nil {
		return report.Section{}, err
	}
	s := report.Section{
		Title: "A server under load",
		About: fmt.Sprintf("Requests per second over loopback on %d connections, POST with 1 KiB: median [quartiles] of interleaved rounds. Client and server share the machine.", conns),
		Plots: []report.Bars{{File: "load.svg", Title: "A server under load", Unit: "requests per second", Highlight: stacks.Bulwark}},
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
