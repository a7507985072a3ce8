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

// apart makes requests with a body that can be in flight together.
func apart() func(context.Context) *http.Request {
	body := bytes.Repeat([]byte("x"), 1<<10)
	template := httptest.NewRequest(http.MethodPost, "/", nil)
	template.Header.Set("User-Agent", userAgent)
	return func(ctx context.Context) *http.Request {
		r := template.WithContext(ctx)
		r.Header = template.Header.Clone() // some put a request id there
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
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

// most is how many bytes a request in flight may take, and what is measured.
type most struct {
	what  string
	bytes float64
	wrap  func(http.Handler) []measure.Contender
}

func memory(e Effort) (report.Section, error) {
	n := 10_000
	if e.Short {
		n = 1000
	}
	s := report.Section{
		Title: "Memory of a request in flight",
		About: fmt.Sprintf("%d requests wait at once, each for Done or for its release: what each takes over a bare handler in the same framework, in heap and stacks, and the goroutines it has more. Stacks of goroutines double at powers of two: behind a handler with 3 KiB of stack, and a shallow one.", n),
	}
	for _, m := range []most{
		{"a deadline alone", 1 << 10, waitingDeadlines},
		{"the whole stack", 3 << 10, waitingStacks},
	} {
		deep := measure.InFlight(e.slow(3), n, 3, apart(), m.wrap)
		shallow := measure.InFlight(e.slow(3), n, 0, apart(), m.wrap)
		t := report.Table{Head: []string{m.what, "bytes, 3 KiB of stack", "bytes, shallow", "goroutines"}}
		bars := report.Bars{File: "memory.svg", Title: "Memory of a request that waits in a whole stack", Unit: "KiB over a bare handler", Highlight: stacks.Bulwark}
		for i, w := range deep {
			t.Rows = append(t.Rows, []string{w.Name, bytesOf(w.Bytes), bytesOf(shallow[i].Bytes), fmt.Sprintf("%.2f", w.Goroutines)})
			bars.Bars = append(bars.Bars, report.Bar{Name: w.Name, Value: w.Bytes.Median / 1024, Low: w.Bytes.Q1 / 1024, High: w.Bytes.Q3 / 1024})
			if w.Name == stacks.Bulwark {
				s.Bounds = append(s.Bounds,
					report.AtMost("bytes, "+m.what, "%.0f", m.bytes, w.Bytes.Median),
					report.AtMost("goroutines a request, "+m.what, "%.2f", 0, w.Goroutines))
			}
		}
		s.Tables = append(s.Tables, t)
		s.Plots = []report.Bars{bars} // that of the whole stacks, which are last
	}
	return s, nil
}

func bytesOf(s measure.Spread) string { return fmt.Sprintf("%.0f [%.0f–%.0f]", s.Median, s.Q1, s.Q3) }
