package inspect

import (
	"math/bits"
	"time"
)

// Durations are counted in buckets. Their bounds alternately grow by a half and by
// a third: 262 µs, 393 µs, 524 µs, 786 µs, 1.05 ms, … 69 s, 103 s. The first bucket
// also has all shorter durations, and the last one all longer ones.
const (
	buckets = 40
	unit    = 17 // the first bound is 2<<unit nanoseconds
)

func bucket(d time.Duration) int {
	v := uint64(max(0, d)) >> unit
	n := bits.Len64(v)
	if n < 2 {
		return 0
	}
	half := int(v>>(n-2)) & 1
	return min((n-2)*2+half+1, buckets-1)
}

// lower returns the shortest duration in bucket i.
func lower(i int) time.Duration {
	if i == 0 {
		return 0
	}
	octave, half := (i-1)/2, (i-1)%2
	return time.Duration(2+half) << (octave + unit)
}

// counts has the number of requests by outcome and by duration.
type counts struct {
	outcomes [len(outcomes) + 1]uint32
	times    [buckets]uint32
}

func (c *counts) add(d *counts) {
	for i, n := range d.outcomes {
		c.outcomes[i] += n
	}
	for i, n := range d.times {
		c.times[i] += n
	}
}

func (c *counts) subtract(d *counts) {
	for i, n := range d.outcomes {
		c.outcomes[i] -= n
	}
	for i, n := range d.times {
		c.times[i] -= n
	}
}

func (c *counts) total() (n uint64) {
	for _, m := range c.outcomes {
		n += uint64(m)
	}
	return n
}

// failed returns the number of requests that failed.
func (c *counts) failed() (n uint64) {
	for i, m := range c.outcomes {
		if i == len(outcomes) || bad(outcomes[i]) {
			n += uint64(m)
		}
	}
	return n
}

// quantile returns the duration that the given share of the requests did not
// exceed, estimated within its bucket. It returns 0 if there were no requests.
func (c *counts) quantile(share float64) time.Duration {
	var total float64
	for _, n := range c.times {
		total += float64(n)
	}
	if total == 0 {
		return 0
	}
	rank := share * total
	for i, n := range c.times {
		if rank > float64(n) {
			rank -= float64(n)
			continue
		}
		if n == 0 {
			continue
		}
		from, to := lower(i), lower(i+1)
		return from + time.Duration(rank/float64(n)*float64(to-from))
	}
	return lower(buckets)
}
