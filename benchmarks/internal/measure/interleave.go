package measure

import (
	"fmt"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
)

// Path is the path of every measured request. The handlers' route matches it.
const Path = "/users/42"

// A Contender is one way to wrap a handler.
type Contender struct {
	Name    string
	Handler http.Handler
	// Base is the name of the contender that has the same handler in the same
	// framework with nothing around it. "": the first contender.
	Base string
}

// Cost is what a contender adds to its base.
type Cost struct {
	Name   string
	Adds   Spread // nanoseconds for each request
	Allocs float64
	adds   []float64
}

// Costs are the results of one interleaved run.
type Costs []Cost

// Of returns the cost of a contender by its name. It panics if there is none.
func (cs Costs) Of(name string) Cost {
	for _, c := range cs {
		if c.Name == name {
			return c
		}
	}
	panic("measure: no contender " + name)
}

// Ratio returns what one contender adds as a multiple of what the other adds.
func (cs Costs) Ratio(name, to string) Ratio { return ratio(cs.Of(name).adds, cs.Of(to).adds) }

// Turns describes the turns of contenders: in each round, each contender serves a
// batch of requests.
type Turns struct {
	Rounds, Batch int
	Raw           []byte // a request as it is sent
	Status        int    // the status of each response; 0 means 200
}

// Interleave runs the contenders in turns, each with its own http.Server whose
// connections are in memory. The order changes in each round, because each
// contender pays for the garbage of the one before it. The first contender, and
// contenders that are the base of another, are not in the costs. An unexpected
// response is an error.
func (t Turns) Interleave(cs []Contender) (Costs, error) {
	if t.Status == 0 {
		t.Status = http.StatusOK
	}
	servers := make([]*inMemory, len(cs))
	for i, c := range cs {
		servers[i] = serveInMemory(c.Handler)
		defer servers[i].end()
	}
	allocs := make([]float64, len(cs))
	for i, c := range cs { // for one-time initialization
		var err error
		if allocs[i], err = t.allocations(servers[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	times := make([][]float64, len(cs))
	for round := range t.Rounds {
		for turn := range cs {
			i := (turn + round) % len(cs)
			took, err := servers[i].batch(t.Raw, t.Status, t.Batch)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cs[i].Name, err)
			}
			times[i] = append(times[i], float64(took)/float64(t.Batch))
		}
	}
	return added(cs, times, allocs), nil
}

// added returns what each contender adds to its base.
func added(cs []Contender, times [][]float64, allocs []float64) Costs {
	base := bases(cs)
	var costs Costs
	for i, c := range cs {
		b, ok := base[i]
		if !ok {
			continue
		}
		adds := make([]float64, len(times[i]))
		for round := range adds {
			adds[round] = times[i][round] - times[b][round]
		}
		costs = append(costs, Cost{
			Name: c.Name, adds: adds,
			Adds:   Of(append([]float64(nil), adds...)),
			Allocs: math.Round(allocs[i]-allocs[b]) + 0, // never -0
		})
	}
	return costs
}

// bases returns the index of the base of each contender that is not a base itself.
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

// counted is the size of the batch over which allocations are averaged.
const counted = 200

// allocations returns how many allocations a request makes in the whole server.
// It is the minimum of several counts, because other goroutines allocate, too.
// The collector is off, because it empties the pools that requests share.
func (t Turns) allocations(s *inMemory) (float64, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	least := math.Inf(1)
	for warm := range 4 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := s.batch(t.Raw, t.Status, counted); err != nil {
			return 0, err
		}
		runtime.ReadMemStats(&after)
		if warm > 0 {
			least = min(least, float64(after.Mallocs-before.Mallocs)/(2*counted))
		}
	}
	return least, nil
}
