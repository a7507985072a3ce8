package quotas

import (
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
)

// plenty is a rate at which no request is refused.
const plenty = 1_000_000_000

// Cost is what a decision of a limiter costs.
type Cost struct {
	Name   string
	Nanos  measure.Spread // of one decision
	Allocs float64
}

// Decisions measures all limiters with the given number of keys, once for each
// number of goroutines. The limiters take turns, a batch in each round. Bulwark's
// limiter is the first in the result.
func Decisions(rounds, batch, keys int, goroutines ...int) [][]Cost {
	names := keysOf("10.", keys)
	var all []limiter
	for _, p := range peers {
		l := p(plenty, time.Second, keys)
		defer l.end()
		for _, k := range names {
			l.take(k)
		}
		all = append(all, l)
	}
	var costs [][]Cost
	for _, n := range goroutines {
		costs = append(costs, inTurns(all, names, rounds, batch, n))
	}
	return costs
}

func inTurns(all []limiter, keys []string, rounds, batch, goroutines int) []Cost {
	nanos := make([][]float64, len(all))
	for round := range rounds {
		for turn := range all {
			i := (turn + round) % len(all)
			nanos[i] = append(nanos[i], batchOf(all[i], keys, batch, goroutines))
		}
	}
	var costs []Cost
	for i, l := range all {
		costs = append(costs, Cost{l.name, measure.Of(nanos[i]), allocations(l, keys)})
	}
	return costs
}

// keysOf returns distinct keys in random order.
func keysOf(prefix string, n int) []string {
	keys := make([]string, n)
	for i, j := range rand.Perm(n) {
		keys[i] = prefix + strconv.Itoa(j)
	}
	return keys
}

// batchOf returns the nanoseconds of each decision.
func batchOf(l limiter, keys []string, batch, goroutines int) float64 {
	var all sync.WaitGroup
	start := time.Now()
	for range goroutines {
		at := rand.IntN(len(keys))
		all.Go(func() {
			for i := range batch / goroutines {
				l.take(keys[(at+i)%len(keys)])
			}
		})
	}
	all.Wait()
	return float64(time.Since(start)) / float64(batch/goroutines*goroutines)
}

func allocations(l limiter, keys []string) float64 {
	const n = 1000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range n {
		l.take(keys[i%len(keys)])
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / n)
}

// Memory is how much memory a limiter takes.
type Memory struct {
	Name  string
	Bytes float64 // for each key
	Flood float64 // MiB more after a flood of new keys
	Nanos float64 // for each request of the flood
	Frees bool    // whether a key that was being refused is allowed after the flood
}

// Remember measures the limiters one at a time: the memory of the keys, and the
// effect of a flood of new keys on the memory and on a key that is being refused.
func Remember(keys, flood int) []Memory {
	names := keysOf("10.", keys)
	var all []Memory
	for _, p := range peers {
		all = append(all, remember(p, names, flood))
	}
	return all
}

// requestsPerHour is a rate that is so low that a limiter must keep a key for a
// long time.
const requestsPerHour = 5

func remember(p peer, names []string, flood int) Memory {
	before := heap()
	l := p(requestsPerHour, time.Hour, len(names))
	defer l.end()
	for _, k := range names {
		l.take(k)
	}
	for range requestsPerHour {
		l.take(names[0])
	}
	known := heap()
	m := Memory{Name: l.name, Bytes: float64(known-before) / float64(len(names))}
	start := time.Now()
	for i := range flood {
		l.take("flood-" + strconv.Itoa(i))
	}
	m.Nanos = float64(time.Since(start)) / float64(flood)
	m.Flood = float64(heap()-known) / (1 << 20)
	m.Frees = l.take(names[0])
	return m
}

// heap returns the heap in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
