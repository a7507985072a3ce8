package errmap_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

// The cost rows of errmap: an error wrapped once, mapped to 404, against a
// hand-written chain of three errors.Is that encodes with encoding/json. What
// counts is what each adds to the bare handler:
//
//	go test -run - -bench Mapping -benchmem -count 6 ./errmap

var (
	errBench1 = errors.New("one")
	errBench2 = errors.New("two")
	errBench3 = errors.New("three")
)

// discard is a ResponseWriter that costs as little as can be.
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

// byHand is what one writes without a library.
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

// inExchange puts the handler into an exchange that somebody else has paid for,
// as in a whole stack.
func inExchange(h http.Handler) func(b *testing.B) {
	return func(b *testing.B) {
		r := get()
		d := &discard{header: make(http.Header)}
		x, w, r, _ := exchange.Enter(d, r)
		defer x.Leave()
		defer x.Returned()
		b.ReportAllocs()
		for b.Loop() {
			clear(d.header)
			h.ServeHTTP(w, r)
		}
	}
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
