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

// loads returns a load that bounds the number of requests and the time of each
// turn.
func loads(e Effort) measure.Load {
	if e.Short {
		return measure.Load{Conns: conns, Requests: 500, For: time.Second}
	}
	return measure.Load{Conns: conns, Requests: 6000, For: 2 * time.Second}
}

const (
	stuckLimit = 100 * time.Millisecond
	stuckN     = 200
	patience   = 500 * time.Millisecond // how long a client waits for a response
)

// stuckDeadlines returns all deadlines, and also Bulwark's whole stack, which logs.
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
		About: fmt.Sprintf("%d concurrent requests with a deadline of %v, to handlers that ignore it, or that wait for a body whose client stalls. The table shows after how many milliseconds the clients had the complete response, p50 / p99 of all that got one. A client gives up after %v.",
			stuckN, stuckLimit, patience),
		Tables: []report.Table{{Head: []string{""}}},
	}
	t := &s.Tables[0]
	theirs := map[bool]float64{} // the p99 of http.TimeoutHandler for handlers that ignore their context; the key is whether HTTP/2 is used
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
			if p.Name == stacks.TimeoutHandler && !kind.Upload {
				theirs[kind.HTTP2] = p.P99(patience)
			}
		}
		s.Bounds = append(s.Bounds, inTime(ps, kind, theirs[kind.HTTP2])...)
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
		return "no response"
	}
	s := fmt.Sprintf("%.0f / %.0f", measure.At(p.Millis, 0.5), measure.At(p.Millis, 0.99))
	if p.Answered < 1 {
		s += fmt.Sprintf(" (%.0f %% answered)", 100*p.Answered)
	}
	return s
}

// inTime returns the bounds for the time of the responses. They are compared with
// http.TimeoutHandler and handlers that ignore their context. For stalled uploads
// the comparison is the same, because http.TimeoutHandler does not respond to them
// on HTTP/1.
func inTime(ps []measure.Punctual, kind measure.Stuck, theirs float64) []report.Bound {
	var bounds []report.Bound
	for _, p := range ps {
		if !strings.HasPrefix(p.Name, stacks.Bulwark) {
			continue
		}
		about := "p99 over " + stacks.TimeoutHandler + "'s, " + what(kind)
		if p.Name == wholeBulwark {
			about += ", the whole stack"
		}
		bounds = append(bounds, report.AtMost(about, "%+.0f ms", 5, p.P99(patience)-theirs))
	}
	return bounds
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
		About:  "A response over loopback, in pieces of 64 KiB. Memory is the largest increase of the heap in all rounds, measured after a garbage collection at the first byte and at every 16 MiB.",
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
