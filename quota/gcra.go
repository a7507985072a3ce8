package quota

import (
	"cmp"
	"math"
	"math/bits"
	"time"
)

// The generic cell rate algorithm (GCRA) keeps one number for a bucket: the time at
// which it will be full (the "theoretical arrival time" of ITU-T I.371). Taking n
// moves that time by n × Per / Requests. Taking is allowed if the time is then at
// most Burst × Per / Requests in the future.
//
// Per / Requests is rarely a whole number of nanoseconds. Rounding it would admit
// too much or too little over time. So a time is a number of nanoseconds plus a
// fraction whose denominator is Requests, and is never rounded.

// span is a duration of ns + num/Requests nanoseconds.
type span struct {
	ns  int64
	num uint64
}

// maxSpan is the longest time until a bucket is full, about 146 years. The sum of
// two spans does not overflow.
const maxSpan = math.MaxInt64 / 2

// spanOf returns the time in which n ≥ 0 is filled into the bucket.
func (r Rate) spanOf(n int) span {
	hi, lo := bits.Mul64(uint64(n), uint64(r.Per))
	if hi >= uint64(r.Requests) {
		return span{ns: maxSpan}
	}
	ns, num := bits.Div64(hi, lo, uint64(r.Requests))
	if ns > maxSpan {
		return span{ns: maxSpan}
	}
	return span{int64(ns), num}
}

func (s span) compare(o span) int {
	return cmp.Or(cmp.Compare(s.ns, o.ns), cmp.Compare(s.num, o.num))
}

func (s span) plus(o span, r Rate) span {
	ns, num := s.ns+o.ns, s.num+o.num
	if num >= uint64(r.Requests) {
		ns, num = ns+1, num-uint64(r.Requests)
	}
	if ns > maxSpan {
		return span{ns: maxSpan}
	}
	return span{ns, num}
}

// minus returns s - o, o ≤ s.
func (s span) minus(o span, r Rate) span {
	ns, num := s.ns-o.ns, s.num-o.num
	if s.num < o.num {
		ns, num = ns-1, num+uint64(r.Requests)
	}
	return span{ns, num}
}

// up returns s rounded up to whole nanoseconds. A client that waits for that time
// has waited long enough.
func (s span) up() time.Duration {
	if s.num > 0 {
		s.ns++
	}
	return time.Duration(s.ns)
}

// take takes cost from a bucket that will be full after away. It returns the new
// time until the bucket is full. The defaults of r are set.
func (r Rate) take(away span, cost int) (span, Result) {
	if away.num >= uint64(r.Requests) { // the rate has changed
		away = span{ns: away.ns + 1}
	}
	if cost < 0 {
		if cost = -cost; cost < 0 {
			cost = math.MaxInt
		}
		if back := r.spanOf(cost); back.compare(away) < 0 {
			away = away.minus(back, r)
		} else {
			away = span{}
		}
		return away, r.result(away, true)
	}
	if cost > r.Burst {
		return away, r.result(away, false)
	}
	if most := r.spanOf(r.Burst - cost); away.compare(most) > 0 {
		res := r.result(away, false)
		res.RetryAfter = away.minus(most, r).up()
		return away, res
	}
	away = away.plus(r.spanOf(cost), r)
	return away, r.result(away, true)
}

func (r Rate) result(away span, allowed bool) Result {
	res := Result{Allowed: allowed, ResetAfter: away.up()}
	// Remaining is Burst - away × Requests / Per, rounded down.
	hi, lo := bits.Mul64(uint64(away.ns), uint64(r.Requests))
	lo, carry := bits.Add64(lo, away.num, 0)
	hi += carry
	fullHi, fullLo := bits.Mul64(uint64(r.Burst), uint64(r.Per))
	if lo, borrow := bits.Sub64(fullLo, lo, 0); fullHi >= hi+borrow {
		left, _ := bits.Div64(fullHi-hi-borrow, lo, uint64(r.Per))
		res.Remaining = int(left)
	}
	return res
}
