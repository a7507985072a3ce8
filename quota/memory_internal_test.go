package quota

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever is taken, given back, dropped and moved: no entry is idle before the time
// that its table says, and the counts are right. Searches skip tables by that time.
func TestSearchesSkipNoIdleEntry(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 5))
			m := newMemory(1 + rnd.IntN(400))
			r := Rate{Requests: 1 + rnd.IntN(5), Per: time.Second, Burst: 1 + rnd.IntN(5)}
			for i := range 3000 {
				time.Sleep(time.Duration(rnd.IntN(1 << rnd.IntN(26))))
				rate := r
				cost := rnd.IntN(r.Burst+3) - 1
				if rnd.IntN(10) == 0 {
					cost, rate.Burst = rnd.IntN(20), math.MaxInt // a charge
				}
				_, err := m.Take(t.Context(), strconv.Itoa(rnd.IntN(1000)), cost, rate)
				require.NoError(t, err)
				if i%20 == 0 {
					m.check(t)
				}
			}
		})
	}
}

func (m *memory) check(t *testing.T) {
	t.Helper()
	total := 0
	for i := range m.shards {
		used := 0
		for _, e := range m.shards[i].slots {
			if e.id[0] != 0 {
				used++
				require.GreaterOrEqual(t, e.full, m.shards[i].soonest)
			}
		}
		require.Equal(t, used, m.shards[i].used)
		total += used
	}
	require.EqualValues(t, total, m.taken.Load())
	require.LessOrEqual(t, total, int(m.max))
}

func TestShortRoundsDown(t *testing.T) {
	for _, ns := range []int64{0, 1, 1<<26 - 1, 1 << 26, 1<<26 + 1, int64(time.Hour), maxSpan} {
		got := newShort(ns).ns()
		require.LessOrEqual(t, got, ns)
		require.Less(t, ns-got, 1+ns>>25)
	}
}
