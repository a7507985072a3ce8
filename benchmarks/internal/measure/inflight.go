package measure

import (
	"math"
	"net/http"
	"runtime"
	"sync"
)

// Waiting is what a request costs that waits in its handler, over its base.
type Waiting struct {
	Name       string
	Bytes      Spread
	Goroutines float64 // to a hundredth: others come and go meanwhile
}

// Waiters are requests that wait at once.
type Waiters struct {
	N    int
	Deep bool // the handler has 3 KiB of stack in use
	Asks bool // it asks for Done, as one does that waits for anything but time
}

// InFlight has them wait behind each way of wrapping a handler, in turns. Stacks
// of goroutines double at powers of two, so a shallow handler may hide what is
// around it behind the next power, or show it twice.
func (ws Waiters) InFlight(rounds int, request Request, wrap func(http.Handler) []Contender) []Waiting {
	w := &waiting{Waiters: ws}
	cs := wrap(w)
	base := bases(cs)
	w.measure(cs[0].Handler, request) // the runtime keeps the goroutines it once had
	bytes := make([][]float64, len(cs))
	goroutines := make([]float64, len(cs))
	for round := range rounds {
		for turn := range cs {
			i := (turn + round) % len(cs)
			b, g := w.measure(cs[i].Handler, request)
			bytes[i], goroutines[i] = append(bytes[i], b), g
		}
	}
	var all []Waiting
	for i, c := range cs {
		b, ok := base[i]
		if !ok {
			continue
		}
		over := make([]float64, rounds)
		for round := range over {
			over[round] = bytes[i][round] - bytes[b][round]
		}
		all = append(all, Waiting{c.Name, Of(over), hundredths(goroutines[i] - goroutines[b])})
	}
	return all
}

func hundredths(v float64) float64 { return math.Round(100*v)/100 + 0 } // never -0

// waiting is their handler.
type waiting struct {
	Waiters
	arrived *sync.WaitGroup
	release chan struct{}
}

func (h *waiting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.Deep {
		deep(func() { h.wait(r) })
	} else {
		h.wait(r)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *waiting) wait(r *http.Request) {
	var done <-chan struct{}
	if h.Asks {
		done = r.Context().Done()
	}
	h.arrived.Done()
	select {
	case <-h.release:
	case <-done:
	}
}

func (h *waiting) measure(wrapped http.Handler, request Request) (bytes, goroutines float64) {
	h.arrived, h.release = new(sync.WaitGroup), make(chan struct{})
	before, goroutinesBefore := heap(), runtime.NumGoroutine()
	var all sync.WaitGroup
	h.arrived.Add(h.N)
	for range h.N {
		all.Go(func() { One(wrapped, request) })
	}
	h.arrived.Wait()
	bytes = float64(heap()-before) / float64(h.N)
	goroutines = float64(runtime.NumGoroutine()-goroutinesBefore) / float64(h.N)
	close(h.release)
	all.Wait()
	return bytes, goroutines
}

// deep calls f with 3 KiB of stack in use.
//
//go:noinline
func deep(f func()) {
	var room [3 << 10]byte
	f()
	runtime.KeepAlive(&room)
}
