package errmap_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

// The cost rows of errmap: an error wrapped once is mapped to 404, beside a
// hand-written chain of three errors.Is that encodes with encoding/json. The command
// below compares what each adds to the bare handler:
//
//	go test -run - -bench Cost -benchtime 2s ./errmap
//
// and prints the ratio of the medians of one interleaved run: once for errmap alone,
// which then makes and ends the exchange, and once within an exchange that other
// middleware of a stack has made.

var (
	errBench1 = errors.New("one")
	errBench2 = errors.New("two")
	errBench3 = errors.New("three")
)

// discard is a ResponseWriter that costs as little as possible.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func failing(err error) func(http.ResponseWriter, *http.Request) error {
	return func(http.ResponseWriter, *http.Request) error { return err }
}

// byHand is a mapping without a library.
func byHand(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := f(w, r)
		if err == nil {
			return
		}
		status, message := http.StatusInternalServerError, "internal"
		switch {
		case errors.Is(err, errBench1):
			status, message = http.StatusConflict, "conflict"
		case errors.Is(err, errBench2):
			status, message = http.StatusGone, "gone"
		case errors.Is(err, errBench3):
			status, message = http.StatusNotFound, "not found"
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
	})
}

func rules(n int) []errmap.Rule {
	list := make([]errmap.Rule, 0, n)
	for i := range n - 1 {
		list = append(list, errmap.Is(fmt.Errorf("other %d", i), errmap.Problem{Status: 400}))
	}
	return append(list, errmap.Is(errBench3, errmap.Problem{Status: 404}))
}

func alone(h http.Handler) func(b *testing.B) {
	return func(b *testing.B) {
		r := get()
		d := &discard{header: make(http.Header)}
		b.ReportAllocs()
		for b.Loop() {
			clear(d.header)
			h.ServeHTTP(d, r)
		}
	}
}

func BenchmarkMapping(b *testing.B) {
	wrapped := failing(fmt.Errorf("loading user 1: %w", errBench3))
	b.Run("bare", alone(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = wrapped(w, r)
		w.WriteHeader(http.StatusNotFound)
	})))
	b.Run("by-hand", alone(byHand(wrapped)))
	for _, n := range []int{5, 50, 500} {
		errs := errmap.New(errmap.Config{Rules: rules(n)})
		b.Run(fmt.Sprintf("ProblemJSON-%d", n), alone(errs.Handler(wrapped)))
	}
	b.Run("ErrorJSON-50", alone(errmap.New(errmap.Config{Rules: rules(50), Render: errmap.ErrorJSON}).Handler(wrapped)))
}

func BenchmarkProblem(b *testing.B) {
	wrapped := fmt.Errorf("loading user 1: %w", errBench3)
	for _, n := range []int{5, 50, 500} {
		errs := errmap.New(errmap.Config{Rules: rules(n)})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := get()
			b.ReportAllocs()
			for b.Loop() {
				_ = errs.Problem(r, wrapped)
			}
		})
	}
}

func BenchmarkCost(b *testing.B) {
	wrapped := failing(fmt.Errorf("loading user 1: %w", errBench3))
	bare := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = wrapped(w, r)
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(nil)
	}))
	for _, render := range []struct {
		name string
		f    func(http.ResponseWriter, *http.Request, errmap.Problem)
	}{{"ProblemJSON", errmap.ProblemJSON}, {"ErrorJSON", errmap.ErrorJSON}} {
		errs := errmap.New(errmap.Config{Rules: rules(50), Render: render.f}).Handler(wrapped)
		b.Run(render.name+"/alone", func(b *testing.B) { ratio(b, bare, byHand(wrapped), errs) })
		b.Run(render.name+"/in-a-stack", func(b *testing.B) {
			ratio(b, entered(bare), entered(byHand(wrapped)), entered(errs))
		})
	}
}

// entered is what the outermost middleware of a stack does.
func entered(next http.Handler) http.Handler {
	return exchange.Func(next, func(_ *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
	})
}

// ratio reports what the third handler adds to the first, divided by what the second
// adds.
func ratio(b *testing.B, handlers ...http.Handler) {
	b.Helper()
	const batch = 200
	r := get()
	d := &discard{header: make(http.Header)}
	times := make([][]float64, len(handlers))
	for b.Loop() {
		for i, h := range handlers {
			start := time.Now()
			for range batch {
				clear(d.header)
				h.ServeHTTP(d, r)
			}
			times[i] = append(times[i], float64(time.Since(start))/batch)
		}
	}
	median := make([]float64, len(handlers))
	for i := range times {
		slices.Sort(times[i])
		median[i] = times[i][len(times[i])/2]
	}
	b.ReportMetric(median[0], "ns/bare")
	b.ReportMetric(median[1]-median[0], "ns/by-hand")
	b.ReportMetric(median[2]-median[0], "ns/errmap")
	b.ReportMetric((median[2]-median[0])/(median[1]-median[0]), "ratio")
	b.ReportMetric(0, "ns/op")
}
