package costs

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

const conns = 16

// loads bounds each turn in count and in time.
func loads(e Effort) measure.Load {
	if e.Short {
		return measure.Load{Conns: conns, Requests: 500, For: time.Second}
	}
	return measure.Load{Conns: conns, Requests: 6000, For: 2 * time.Second}
}

func rawPost() []byte {
	return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: bench\r\nUser-Agent: %s\r\nContent-Length: 1024\r\n\r\n%s", userAgent, strings.Repeat("x", 1<<10))
}

const (
	stuckLimit = 100 * time.Millisecond
	stuckN     = 200
	patience   = 500 * time.Millisecond // of a client, after which it has no answer
)

// stuckDeadlines are all deadlines, and the whole stack that logs too.
func stuckDeadlines(h http.Handler) []measure.Contender {
	var cs []measure.Contender
	for _, c := range stacks.Deadlines(stuckLimit, h) {
		if !strings.HasPrefix(c.Name, "bare") && c.Name != stacks.Floor {
			cs = append(cs, c)
		}
	}
	cfg := config()
	cfg.Limit = stuckLimit
	for _, s := range stacks.Whole() {
		if s.Name == stacks.Bulwark {
			cs = append(cs, measure.Contender{Name: wholeBulwark, Handler: s.New(cfg, handler(h))})
		}
	}
	return cs
}

const wholeBulwark = "Bulwark, the whole stack"

func deadline(e Effort) (report.Section, error) {
	s := report.Section{
		Title: "A deadline, and 200 handlers that are stuck",
		About: fmt.Sprintf("%d requests at once under a deadline of %v, to handlers that ignore it, or that wait for a body whose client stalls. When their clients had the complete answer, in milliseconds, p50 / p99 of all that were answered; after %v a client gives up.",
			stuckN, stuckLimit, patience),
		Tables: []report.Table{{Head: []string{""}}},
	}
	t := &s.Tables[0]
	for _, kind := range []measure.Stuck{{}, {HTTP2: true}, {Upload: true}, {HTTP2: true, Upload: true}} {
		ps, err := kind.Deadline(e.slow(3), stuckN, patience, stuckDeadlines)
		if err != nil {
			return s, err
		}
		t.Head = append(t.Head, what(kind))
		for i, p := range ps {
			if len(t.Rows) < len(ps) {
				t.Rows = append(t.Rows, []string{p.Name})
			}
			t.Rows[i] = append(t.Rows[i], punctual(p))
			if strings.HasPrefix(p.Name, stacks.Bulwark) {
				s.Bounds = append(s.Bounds, inTime(p, kind))
			}
		}
	}
	return s, nil
}

func what(s measure.Stuck) string {
	proto, how := "HTTP/1", "ignored context"
	if s.HTTP2 {
		proto = "HTTP/2"
	}
	if s.Upload {
		how = "stalled upload"
	}
	return how + ", " + proto
}

func punctual(p measure.Punctual) string {
	if len(p.Millis) == 0 {
		return "no answer"
	}
	s := fmt.Sprintf("%.0f / %.0f", measure.At(p.Millis, 0.5), measure.At(p.Millis, 0.99))
	if p.Answered < 1 {
		s += fmt.Sprintf(" (%.0f %% answered)", 100*p.Answered)
	}
	return s
}

// inTime is the bound of the answer: that of all clients, so one without an
// answer misses it.
func inTime(p measure.Punctual, kind measure.Stuck) report.Bound {
	what := "p99, " + what(kind)
	if p.Name == wholeBulwark {
		what += ", the whole stack"
	}
	if p.Answered < 1 {
		return report.Bound{What: what, Want: "≤ 110 ms", Got: fmt.Sprintf("%.1f %% answered", 100*p.Answered)}
	}
	return report.AtMost(what, "%.0f ms", 110, measure.At(p.Millis, 0.99))
}

const streamed = 64 << 20

func stream(e Effort) (report.Section, error) {
	piece := make([]byte, 64<<10)
	h := func(w http.ResponseWriter, _ *http.Request) error {
		for range streamed / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		return nil
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = h(w, r) })
	cfg := config()
	cfg.Limit = time.Minute
	cs := []measure.Contender{{Name: "bare", Handler: bare}, {Name: stacks.TimeoutHandler, Handler: http.TimeoutHandler(bare, cfg.Limit, "")}}
	for _, s := range stacks.Whole() {
		cs = append(cs, measure.Contender{Name: s.Name, Handler: s.New(cfg, h)})
	}
	all, err := measure.Stream(e.slow(5), streamed, cs)
	s := report.Section{
		Title:  "64 MiB through the whole stack",
		About:  "Over loopback, in pieces of 64 KiB. Memory is what is in use after a collection, at the first byte and every 16 MiB, over what it was before: the most of all rounds.",
		Tables: []report.Table{{Head: []string{"", "first byte, ms", "memory, MiB"}}},
	}
	for _, c := range all {
		mib := float64(c.Peak) / (1 << 20)
		s.Tables[0].Rows = append(s.Tables[0].Rows, []string{c.Name,
			fmt.Sprintf("%.1f [%.1f–%.1f]", c.First.Median, c.First.Q1, c.First.Q3), fmt.Sprintf("%.1f", mib)})
		if c.Name == stacks.Bulwark {
			s.Bounds = []report.Bound{
				report.AtMost("first byte", "%.1f ms", 20, c.First.Median),
				report.AtMost("memory", "%.1f MiB", 4, mib),
			}
		}
	}
	return s, err
}
