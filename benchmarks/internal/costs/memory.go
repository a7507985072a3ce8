package costs

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// waitingDeadlines and waitingStacks wrap a handler whose requests wait.
func waitingDeadlines(h http.Handler) []measure.Contender { return stacks.Deadlines(time.Minute, h) }

func waitingStacks(h http.Handler) []measure.Contender {
	read := func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		h.ServeHTTP(w, r)
		return err
	}
	return whole(read)
}

// most has the bounds for the bytes of a request in flight.
type most struct {
	what  string
	bytes float64
	raw   []byte
	wrap  func(http.Handler) []measure.Contender
}

func memory(e Effort) (report.Section, error) {
	n := 10_000
	if e.Short {
		n = 1000
	}
	s := report.Section{
		Title: "Memory of a request in flight",
		About: fmt.Sprintf("%d requests wait at the same time, each on a connection in memory, in net/http's own server. The table has what each request takes in addition to a bare handler in the same framework: heap and stack frames, if it waits for Done or for something else, and additional goroutines. Requests of whole stacks had a body of 1 KiB. An additional goroutine counts with its whole stack. A stack grows to the next power of two, so the same frames can make it grow by thousands of bytes with one handler and not at all with another. The last column is the growth with a handler that uses 3 KiB of stack.", n),
	}
	for _, m := range []most{
		{"a deadline alone", 1 << 10, get(), waitingDeadlines},
		{"the whole stack", 2 << 10, post(), waitingStacks},
	} {
		t, bounds, bars, err := m.measure(e, n)
		if err != nil {
			return s, err
		}
		s.Tables, s.Bounds = append(s.Tables, t), append(s.Bounds, bounds...)
		s.Plots = []report.Bars{bars} // the plot of the whole stacks, which come last
	}
	return s, nil
}

func (m most) measure(e Effort, n int) (report.Table, []report.Bound, report.Bars, error) {
	t := report.Table{Head: []string{m.what, "bytes, waiting for Done", "heap", "stack", "bytes, not for Done", "goroutines", "stacks have grown by"}}
	bars := report.Bars{File: "memory.svg", Title: "Memory of a request that waits in a whole stack", Unit: "KiB over a bare handler", Highlight: stacks.Bulwark}
	asked, err := measure.Waiters{N: n, Asks: true}.InFlight(e.slow(3), m.raw, m.wrap)
	if err != nil {
		return t, nil, bars, err
	}
	unasked, err := measure.Waiters{N: n}.InFlight(e.slow(1), m.raw, m.wrap)
	if err != nil {
		return t, nil, bars, err
	}
	var bounds []report.Bound
	for i, w := range asked {
		t.Rows = append(t.Rows, []string{w.Name, fmt.Sprintf("%.0f", w.Bytes()), fmt.Sprintf("%.0f [%.0f–%.0f]", w.Heap.Median, w.Heap.Q1, w.Heap.Q3), fmt.Sprintf("%.0f", w.Stack),
			fmt.Sprintf("%.0f", unasked[i].Bytes()), fmt.Sprintf("%.0f", w.Goroutines), fmt.Sprintf("%.0f", w.Grown)})
		bars.Bars = append(bars.Bars, report.Bar{Name: w.Name, Value: w.Bytes() / 1024, Low: (w.Heap.Q1 + w.Stack) / 1024, High: (w.Heap.Q3 + w.Stack) / 1024})
		if w.Name == stacks.Bulwark {
			bounds = []report.Bound{
				report.AtMost("bytes, "+m.what+", waiting for Done", "%.0f", m.bytes, w.Bytes()),
				report.AtMost("bytes, "+m.what+", not for Done", "%.0f", m.bytes, unasked[i].Bytes()),
				report.AtMost("goroutines, "+m.what, "%.0f", 0, w.Goroutines),
			}
		}
	}
	return t, bounds, bars, nil
}
