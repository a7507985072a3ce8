// Package measure runs handlers side by side. Machines are shared and noisy, so
// what is compared takes turns, and what counts is the ratio within one run.
package measure

import (
	"math/rand/v2"
	"slices"
)

// Spread is what repeated measurements of one thing came to: the quartiles.
type Spread struct{ Q1, Median, Q3 float64 }

// Of sorts v and takes its quartiles. It panics where there are none.
func Of(v []float64) Spread {
	slices.Sort(v)
	return Spread{at(v, 0.25), at(v, 0.5), at(v, 0.75)}
}

// At is the value of v under which the fraction q of all are, by interpolation.
func At(v []float64, q float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return at(v, q)
}

func at(sorted []float64, q float64) float64 {
	pos := q * float64(len(sorted)-1)
	i := int(pos)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (pos-float64(i))*(sorted[i+1]-sorted[i])
}

// Ratio is that of two medians, between what 95 % of resamples of the rounds come
// to: how well the run knows it.
type Ratio struct{ Value, Low, High float64 }

// ratio takes a and b by round, and draws whole rounds: what disturbs one round
// disturbs both.
func ratio(a, b []float64) Ratio {
	const resamples = 400
	rng := rand.New(rand.NewPCG(1, 2)) // the same rounds give the same interval
	ratios, x, y := make([]float64, resamples), make([]float64, len(a)), make([]float64, len(a))
	for i := range ratios {
		for j := range x {
			k := rng.IntN(len(a))
			x[j], y[j] = a[k], b[k]
		}
		ratios[i] = At(x, 0.5) / At(y, 0.5)
	}
	return Ratio{At(a, 0.5) / At(b, 0.5), At(ratios, 0.025), At(ratios, 0.975)}
}
