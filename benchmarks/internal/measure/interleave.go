package measure

import (
	"net/http"
	"time"
)

// Cost is what a contender adds to its base.
type Cost struct {
	Name   string
	Adds   Spread // nanoseconds a request
	Allocs float64
	adds   []float64 // by round
}

// Costs are those of one interleaved run.
type Costs []Cost

// Of returns the cost of a contender by its name. It panics where there is none.
func (cs Costs) Of(name string) Cost {
	for _, c := range cs {
		if c.Name == name {
			return c
		}
	}
	panic("measure: no contender " + name)
}

// Ratio is what one adds as a multiple of what the other adds.
func (cs Costs) Ratio(name, to string) Ratio { return ratio(cs.Of(name).adds, cs.Of(to).adds) }

// Interleave runs the contenders in turns, each for a batch of requests in each
// round, in another order each time: who comes after whom pays for its garbage.
// A contender that is the base of another, or the first, is not among the costs.
func Interleave(rounds, batch int, request Request, cs []Contender) Costs {
	base := bases(cs)
	times := make([][]float64, len(cs))
	for i := range times {
		times[i] = make([]float64, rounds)
	}
	for _, c := range cs { // whatever is made once is made now
		serve(c.Handler, batch/10+1, request)
	}
	for round := range rounds {
		for turn := range cs {
			i := (turn + round) % len(cs)
			times[i][round] = serve(cs[i].Handler, batch, request)
		}
	}
	var costs Costs
	for i, c := range cs {
		b, ok := base[i]
		if !ok {
			continue
		}
		adds := make([]float64, rounds)
		for round := range adds {
			adds[round] = times[i][round] - times[b][round]
		}
		cost := Cost{Name: c.Name, adds: adds}
		cost.Adds = Of(append([]float64(nil), adds...))
		cost.Allocs = allocations(c.Handler, request) - allocations(cs[b].Handler, request)
		costs = append(costs, cost)
	}
	return costs
}

// bases has for each contender that is not a base the index of its own.
func bases(cs []Contender) map[int]int {
	index := map[string]int{"": 0}
	for i, c := range cs {
		index[c.Name] = i
	}
	isBase := map[int]bool{0: true}
	for _, c := range cs {
		isBase[index[c.Base]] = true
	}
	base := make(map[int]int)
	for i, c := range cs {
		if !isBase[i] {
			base[i] = index[c.Base]
		}
	}
	return base
}

// serve returns nanoseconds a request.
func serve(h http.Handler, batch int, request Request) float64 {
	w := &discard{make(http.Header)}
	start := time.Now()
	for range batch {
		one(h, w, request)
	}
	return float64(time.Since(start)) / float64(batch)
}
