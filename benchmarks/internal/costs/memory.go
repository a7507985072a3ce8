package costs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// apart makes requests that can be in flight together, with a body or without.
func apart(body []byte) func(context.Context) *http.Request {
	template := httptest.NewRequest(http.MethodPost, "/", nil)
	template.Header.Set("User-Agent", userAgent)
	return func(ctx context.Context) *http.Request {
		r := template.WithContext(ctx)
		r.Header = template.Header.Clone() // some put a request id there
		if len(body) > 0 {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		return r
	}
}

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

// most is how many bytes a request in flight may take.
type most struct {
	what    string
	bytes   float64
	request measure.Request
	wrap    func(http.Handler) []measure.Contender
}

func memory(e Effort) (report.Section, error) {
	n := 10_000
	if e.Short {
		n = 1000
	}
	s := report.Section{
		Title: "Memory of a request in flight",
		About: fmt.Sprintf("%d requests wait at once: what each takes over a bare handler in the same framework, in heap and stacks, and the goroutines it has more. The requests of whole stacks have had a body of 1 KiB. Stacks of goroutines double at powers of two: behind a handler with 3 KiB of stack, and a shallow one; waiting for Done, and for something else.", n),
	}
	for _, m := range []most{
		{"a deadline alone", 1 << 10, apart(nil), waitingDeadlines},
		{"the whole stack", 3 << 10, apart(make([]byte, 1<<10)), waitingStacks},
	} {
		t, bounds, bars := m.measure(e, n)
		s.Tables, s.Bounds = append(s.Tables, t), append(s.Bounds, bounds...)
		s.Plots = []report.Bars{bars} // that of the whole stacks, which are last
	}
	return s, nil
}

func (m most) measure(e Effort, n int) (report.Table, []report.Bound, report.Bars) {
	asked := measure.Waiters{N: n, Deep: true, Asks: true}.InFlight(e.slow(3), m.request, m.wrap)
	unasked := measure.Waiters{N: n, Deep: true}.InFlight(e.slow(1), m.request, m.wrap)
	shallow := measure.Waiters{N: n, Asks: true}.InFlight(e.slow(1), m.request, m.wrap)
	t := report.Table{Head: []string{m.what, "bytes, waiting for Done", "not for Done", "for Done, shallow", "goroutines"}}
	bars := report.Bars{File: "memory.svg", Title: "Memory of a request that waits in a whole stack", Unit: "KiB over a bare handler (median, quartiles)", Highlight: stacks.Bulwark}
	var bounds []report.Bound
	for i, w := range asked {
		t.Rows = append(t.Rows, []string{w.Name, fmt.Sprintf("%.0f [%.0f–%.0f]", w.Bytes.Median, w.Bytes.Q1, w.Bytes.Q3),
			fmt.Sprintf("%.0f", unasked[i].Bytes.Median), fmt.Sprintf("%.0f", shallow[i].Bytes.Median), fmt.Sprintf("%.0f", w.Goroutines)})
		bars.Bars = append(bars.Bars, report.Bar{Name: w.Name, Value: w.Bytes.Median / 1024, Low: w.Bytes.Q1 / 1024, High: w.Bytes.Q3 / 1024})
		if w.Name == stacks.Bulwark {
			bounds = []report.Bound{
				report.AtMost("bytes, "+m.what+", waiting for Done", "%.0f", m.bytes, w.Bytes.Median),
				report.AtMost("bytes, "+m.what+", not for Done", "%.0f", m.bytes, unasked[i].Bytes.Median),
				report.AtMost("goroutines, "+m.what, "%.0f", 0, w.Goroutines),
			}
		}
	}
	return t, bounds, bars
}
