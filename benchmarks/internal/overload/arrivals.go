package overload

import (
	"math"
	"math/rand/v2"
	"time"
)

// workload describes how requests arrive, and how long each takes.
type workload struct {
	name    string
	burst   float64                        // the mean number of requests that arrive together
	service func(*rand.Rand) time.Duration // draws the time of a request; its mean is the constant service
}

func workloads() []workload {
	return []workload{
		{"Poisson arrivals, exponential service", 1, exponential},
		{"Poisson arrivals, heavy-tailed service", 1, pareto},
		{"bursts of 10, exponential service", 10, exponential},
	}
}

// next returns the time until the next burst, and the number of its requests.
func (w workload) next(r *rand.Rand, load float64) (time.Duration, int) {
	n := 1
	if w.burst > 1 {
		n += int(r.ExpFloat64() * (w.burst - 0.5)) // rounding down takes about a half
	}
	return time.Duration(r.ExpFloat64() * w.burst / (load * capacity) * float64(time.Second)), n
}

func exponential(r *rand.Rand) time.Duration {
	return time.Duration(r.ExpFloat64() * float64(service))
}

// The heavy tail is a Pareto distribution of index 1.5 between these bounds. Its
// mean is service; one request in a hundred takes eight times as long.
const (
	tail  = 1.5
	most  = 400 * time.Millisecond
	least = 12929 * time.Microsecond
)

func pareto(r *rand.Rand) time.Duration {
	cut := 1 - math.Pow(float64(least)/float64(most), tail)
	return time.Duration(float64(least) * math.Pow(1-r.Float64()*cut, -1/tail))
}
