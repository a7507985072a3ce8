package measure

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
	"unsafe"
)

// Waiting is the memory of a request that waits in its handler, in addition to
// its base.
type Waiting struct {
	Name string
	Heap Spread // bytes
	// Stack is how many bytes of stack are in use: the frames around the handler,
	// or the whole stack if the handler has its own goroutine.
	Stack float64
	// Grown is how much larger the stacks are, in bytes. A stack grows to the next
	// power of two. So the frames around a handler may cost nothing or thousands of
	// bytes, depending on how much stack the handler itself uses. This handler uses
	// 3 KiB.
	Grown      float64
	Goroutines float64 // rounded to a tenth, because other goroutines come and go
}

// Bytes is what the request takes.
func (w Waiting) Bytes() float64 { return w.Heap.Median + w.Stack }

// Waiters are requests that wait at the same time, each on its own connection.
type Waiters struct {
	N    int
	Asks bool // the handler calls Done, as most waiting handlers do
}

// settle is how long requests have waited when their memory is measured. It is long
// enough to include what is allocated only for long requests.
const settle = 50 * time.Millisecond

// InFlight lets requests wait in each contender in turn, in an http.Server whose
// connections are in memory.
func (ws Waiters) InFlight(rounds int, raw []byte, wrap func(http.Handler) []Contender) ([]Waiting, error) {
	w := &waiting{Waiters: ws}
	cs := wrap(w)
	if _, err := w.measure(cs[0].Handler, raw); err != nil { // warm up: the runtime keeps goroutines for reuse
		return nil, err
	}
	all := make([][]inUse, len(cs))
	for round := range rounds {
		for turn := range cs {
			i := (turn + round) % len(cs)
			u, err := w.measure(cs[i].Handler, raw)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cs[i].Name, err)
			}
			all[i] = append(all[i], u)
		}
	}
	frames, err := frames(raw, wrap)
	if err != nil {
		return nil, err
	}
	base := bases(cs)
	var over []Waiting
	for i, c := range cs {
		if b, ok := base[i]; ok {
			over = append(over, waitingOver(c.Name, all[i], all[b], frames[i]-frames[b]))
		}
	}
	return over, nil
}

// waitingOver returns what the rounds of a contender took in addition to those of
// its base.
func waitingOver(name string, rounds, base []inUse, frames float64) Waiting {
	heap, stack, goroutines := make([]float64, len(rounds)), make([]float64, len(rounds)), make([]float64, len(rounds))
	for i, u := range rounds {
		heap[i], stack[i], goroutines[i] = u.heap-base[i].heap, u.stack-base[i].stack, u.goroutines-base[i].goroutines
	}
	w := Waiting{Name: name, Heap: Of(heap), Stack: frames, Grown: Of(stack).Median}
	w.Goroutines = math.Round(10*Of(goroutines).Median)/10 + 0 // never -0
	if w.Goroutines > 0 {
		w.Stack = w.Grown
	}
	return w
}

// waiting is the handler of Waiters.
type waiting struct {
	Waiters
	arrived *sync.WaitGroup
	release chan struct{}
}

func (h *waiting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	deep(func() { h.wait(r) })
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

// inUse is what is in use for each request.
type inUse struct{ heap, stack, goroutines float64 }

func (h *waiting) measure(wrapped http.Handler, raw []byte) (u inUse, err error) {
	h.arrived, h.release = new(sync.WaitGroup), make(chan struct{})
	srv := serveInMemory(wrapped)
	defer srv.end()
	before, goroutines := memory(), runtime.NumGoroutine()
	h.arrived.Add(h.N)
	conns := make([]*conveyor, h.N)
	for i := range conns {
		conns[i] = newConveyor(raw, http.StatusNoContent, 0, 1)
		srv.conns <- conns[i]
	}
	h.arrived.Wait()
	time.Sleep(settle)
	after := memory()
	n := float64(h.N)
	u.heap = (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / n
	u.stack = (float64(after.StackInuse) - float64(before.StackInuse)) / n
	u.goroutines = float64(runtime.NumGoroutine()-goroutines) / n
	close(h.release)
	for _, c := range conns {
		<-c.closed
		if err == nil {
			err = c.err()
		}
	}
	return u, err
}

// memory returns what is in use after a garbage collection.
func memory() runtime.MemStats {
	runtime.GC()
	runtime.GC() // the second collection frees what sync.Pool dropped in the first one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

// deep calls f with 3 KiB of stack in use.
//
//go:noinline
func deep(f func()) {
	var room [3 << 10]byte
	f()
	runtime.KeepAlive(&room)
}

// frames returns the bytes of stack between the server's loop and the handler, for
// each contender. The value is meaningless if the handler has its own goroutine.
func frames(raw []byte, wrap func(http.Handler) []Contender) ([]float64, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector may move a stack
	var loop, handler uintptr
	cs := wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		handler = here()
		w.WriteHeader(http.StatusNoContent)
	}))
	all := make([]float64, len(cs))
	for i, c := range cs {
		srv := newInMemory(c.Handler)
		srv.srv.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateActive { // the server's loop calls this on its own goroutine
				loop = here()
			}
		}
		go srv.serve()
		_, err := srv.batch(raw, http.StatusNoContent, 4) // the last request counts, because the stack has grown by then
		srv.end()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		all[i] = float64(loop) - float64(handler)
	}
	return all, nil
}

// here returns the address of the current frame.
//
//go:noinline
func here() uintptr {
	var b byte
	return uintptr(unsafe.Pointer(&b))
}
