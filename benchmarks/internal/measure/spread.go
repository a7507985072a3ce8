// Package measure compares handlers. Times vary on a shared machine, so contenders
// take turns, and only the ratio within one run counts.
package measure

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// Spread has the quartiles of repeated measurements.
type Spread struct{ Q1, Median, Q3 float64 }

// Of sorts v and returns its quartiles. It panics if v is empty.
func Of(v []float64) Spread {
	slices.Sort(v)
	return Spread{at(v, 0.25), at(v, 0.5), at(v, 0.75)}
}

// At returns the q-quantile of v, which must be sorted, by interpolation.
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

// Ratio is the ratio of two medians, with the interval that contains it in 95 % of
// the resamples of the rounds.
type Ratio struct{ Value, Low, High float64 }

// ratio returns the ratio of a and b, which have one value for each round. It draws
// whole rounds, because a disturbance affects both values of a round.
func ratio(a, b []float64) Ratio {
	const resamples = 400
	rng := rand.New(rand.NewPCG(1, 2)) // the same rounds give the same interval
	byA, byB := order(a), order(b)
	ratios, drawn := make([]float64, resamples), make([]int, len(a))
	for i := range ratios {
		clear(drawn)
		for range a {
			drawn[rng.IntN(len(a))]++
		}
		ratios[i] = median(a, byA, drawn) / median(b, byB, drawn)
	}
	return Ratio{At(a, 0.5) / At(b, 0.5), At(ratios, 0.025), At(ratios, 0.975)}
}

// order returns the indices of v, sorted by value.
func order(v []float64) []int {
	all := make([]int, len(v))
	for i := range all {
		all[i] = i
	}
	slices.SortFunc(all, func(i, j int) int { return cmp.Compare(v[i], v[j]) })
	return all
}

// median returns the median of a resample of v: drawn says how often each value was
// drawn, len(v) times in all. To sort each resample would take longer than the
// measurement.
func median(v []float64, order, drawn []int) float64 {
	low, high := (len(v)-1)/2, len(v)/2 // equal if len(v) is odd
	passed, sum := 0, 0.0
	for _, i := range order {
		before := passed
		passed += drawn[i]
		if before <= low && low < passed {
			sum += v[i]
		}
		if before <= high && high < passed {
			return (sum + v[i]) / 2
		}
	}
	panic("measure: nothing was drawn")
}
