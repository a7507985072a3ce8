package quota_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/quota"
	"github.com/stretchr/testify/require"
)

// bucket is a simple model with exact numbers: it holds level at the time at.
type bucket struct {
	rate  quota.Rate
	level *big.Rat
	at    time.Time
}

func newBucket(r quota.Rate) *bucket {
	return &bucket{r, new(big.Rat).SetInt64(int64(r.Burst)), time.Now()}
}

// fill adds Requests per Per since the last time.
func (b *bucket) fill() {
	now := time.Now()
	b.level.Add(b.level, b.filled(now.Sub(b.at)))
	b.at = now
	if full := new(big.Rat).SetInt64(int64(b.rate.Burst)); b.level.Cmp(full) > 0 {
		b.level = full
	}
}

func (b *bucket) filled(d time.Duration) *big.Rat {
	r := new(big.Rat).SetFrac64(int64(d), int64(b.rate.Per))
	return r.Mul(r, new(big.Rat).SetInt64(int64(b.rate.Requests)))
}

// wait is how long it takes until the bucket holds n, rounded up.
func (b *bucket) wait(n int) time.Duration {
	missing := new(big.Rat).Sub(new(big.Rat).SetInt64(int64(n)), b.level)
	if missing.Sign() <= 0 {
		return 0
	}
	missing.Mul(missing, new(big.Rat).SetFrac64(int64(b.rate.Per), int64(b.rate.Requests)))
	up := new(big.Int).Div(new(big.Int).Add(missing.Num(), new(big.Int).Sub(missing.Denom(), big.NewInt(1))), missing.Denom())
	return time.Duration(up.Int64())
}

func (b *bucket) take(n int) quota.Result {
	b.fill()
	var res quota.Result
	cost := new(big.Rat).SetInt64(int64(n))
	switch {
	case n < 0:
		res.Allowed = true
		b.level.Sub(b.level, cost)
		b.fill()
	case n > b.rate.Burst:
	case b.level.Cmp(cost) >= 0:
		res.Allowed = true
		b.level.Sub(b.level, cost)
	default:
		res.RetryAfter = b.wait(n)
	}
	if b.level.Sign() > 0 {
		res.Remaining = int(new(big.Int).Div(b.level.Num(), b.level.Denom()).Int64())
	}
	res.ResetAfter = b.wait(b.rate.Burst)
	return res
}

// Takes of any cost at any times are decided as the model decides them, to the
// nanosecond, also with rates that are no whole number of nanoseconds.
func TestTakeIsExact(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 7))
				r := quota.Rate{Requests: 1 + rnd.IntN(1<<rnd.IntN(20)), Per: time.Duration(1 + rnd.Int64N(1<<rnd.IntN(42)))}
				r.Burst = 1 + rnd.IntN(1<<rnd.IntN(12))
				step := int64(r.Per)/int64(r.Requests)*2 + 3
				store, model := quota.NewMemoryStore(0), newBucket(r)
				for range 2000 {
					switch rnd.IntN(4) {
					case 0:
						time.Sleep(time.Duration(rnd.Int64N(step)))
					case 1:
						time.Sleep(model.wait(1)) // to the moment
					case 2:
						time.Sleep(max(0, model.wait(1)-1)) // a nanosecond too early
					}
					n := 1
					if rnd.IntN(4) == 0 {
						n = rnd.IntN(r.Burst+2) - r.Burst/4
					}
					want := model.take(n)
					got, err := store.Take(t.Context(), "key", n, r)
					require.NoError(t, err)
					require.Equal(t, want, got, "%+v, cost %d", r, n)
				}
			})
		})
	}
}

// For any calls of goroutines at any times, no window of time has more requests than
// Burst + t × Requests / Per.
func TestNoWindowHasMoreThanTheRate(t *testing.T) {
	type grant struct {
		at time.Time
		n  int
	}
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			r := quota.Rate{Requests: 1 + rnd.IntN(50), Per: time.Second, Burst: 1 + rnd.IntN(20)}
			store := quota.NewMemoryStore(0)
			var mu sync.Mutex
			var granted []grant
			var all sync.WaitGroup
			for g := range uint64(16) {
				all.Go(func() {
					rnd := rand.New(rand.NewPCG(seed, g))
					for range 50 {
						time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
						n := 1 + rnd.IntN(min(3, r.Burst))
						mu.Lock() // the order of grants is that of the decisions
						res, err := store.Take(t.Context(), "key", n, r)
						if err == nil && res.Allowed {
							granted = append(granted, grant{time.Now(), n})
						}
						mu.Unlock()
					}
				})
			}
			all.Wait()
			require.NotEmpty(t, granted)
			for i := range granted {
				sum := 0
				for j := i; j < len(granted); j++ {
					sum += granted[j].n
					d := granted[j].at.Sub(granted[i].at)
					most := int64(r.Burst) + int64(d)*int64(r.Requests)/int64(r.Per)
					require.LessOrEqual(t, int64(sum), most, "%+v in %v", r, d)
				}
			}
		})
	}
}

// Checking and taking are one step: https://github.com/go-chi/httprate/issues/2,
// https://github.com/go-chi/httprate/issues/28.
func TestGoroutinesOnOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := quota.Rate{Requests: 1000, Per: time.Minute, Burst: 777}
		store := quota.NewMemoryStore(0)
		var allowed atomic.Int64
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for range 100 {
					if res, err := store.Take(t.Context(), "key", 1, r); err == nil && res.Allowed {
						allowed.Add(1)
					}
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 777, allowed.Load())
	})
}

// The clock is the real one here, and the goroutines run at the same time.
func TestGoroutinesOnOneKeyInRealTime(t *testing.T) {
	r := quota.Rate{Requests: 1, Per: time.Hour, Burst: 500}
	store := quota.NewMemoryStore(0)
	var allowed atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 50 {
				if res, err := store.Take(t.Context(), "key", 1, r); err == nil && res.Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 500, allowed.Load())
}

func TestTakeOfOddRates(t *testing.T) {
	for _, tt := range []struct {
		desc string
		rate quota.Rate
		cost int
		want quota.Result
	}{
		{"Burst is Requests", quota.Rate{Requests: 3, Per: time.Second}, 3, quota.Result{Allowed: true, ResetAfter: time.Second}},
		{"a cost of nothing", quota.Rate{Requests: 3, Per: time.Second}, 0, quota.Result{Allowed: true, Remaining: 3}},
		{"more than ever fits", quota.Rate{Requests: 3, Per: time.Second}, 4, quota.Result{Remaining: 3}},
		{"giving back to a full bucket", quota.Rate{Requests: 3, Per: time.Second}, -2, quota.Result{Allowed: true, Remaining: 3}},
		{"giving back the most there is", quota.Rate{Requests: 3, Per: time.Second}, math.MinInt, quota.Result{Allowed: true, Remaining: 3}},
		{"many a nanosecond", quota.Rate{Requests: math.MaxInt, Per: 1}, 1, quota.Result{Allowed: true, Remaining: math.MaxInt - 1, ResetAfter: 1}},
		{"the largest of all", quota.Rate{Requests: math.MaxInt, Per: math.MaxInt64}, 5, quota.Result{Allowed: true, Remaining: math.MaxInt - 5, ResetAfter: 5}},
		{"a life long", quota.Rate{Requests: 1, Per: math.MaxInt64, Burst: math.MaxInt}, 1, quota.Result{Allowed: true, Remaining: math.MaxInt - 1, ResetAfter: math.MaxInt64 / 2}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			got, err := quota.NewMemoryStore(0).Take(t.Context(), "key", tt.cost, tt.rate)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestTakeOfAnInvalidRate(t *testing.T) {
	_, err := quota.NewMemoryStore(0).Take(t.Context(), "key", 1, quota.Rate{Burst: -1})
	require.EqualError(t, err, "quota: Rate.Requests must be positive; Rate.Per must be positive; Rate.Burst must not be negative")
	require.PanicsWithValue(t, "quota: NewMemoryStore: maxKeys must not be negative", func() { quota.NewMemoryStore(-1) })
}

// Every key up to the bound is remembered, and none shares its bucket.
func TestAllKeysUpToTheBoundAreRemembered(t *testing.T) {
	for _, n := range []int{1, 2, 63, 64, 1000, 20_000} {
		synctest.Test(t, func(t *testing.T) {
			r := quota.Rate{Requests: 2, Per: time.Hour}
			store := quota.NewMemoryStore(n)
			for range 2 {
				for i := range n {
					res, err := store.Take(t.Context(), strconv.Itoa(i), 1, r)
					require.NoError(t, err)
					require.True(t, res.Allowed, "key %d of %d", i, n)
				}
			}
			for i := range n {
				res, err := store.Take(t.Context(), strconv.Itoa(i), 1, r)
				require.NoError(t, err)
				require.False(t, res.Allowed, "key %d of %d was forgotten", i, n)
			}
		})
	}
}

// Any bound on the keys is possible: the table grows only with the keys that there
// are.
func TestTheLargestBound(t *testing.T) {
	r := quota.Rate{Requests: 1, Per: time.Hour}
	store := quota.NewMemoryStore(math.MaxInt)
	for _, want := range []bool{true, false} {
		for i := range 1000 {
			res, err := store.Take(t.Context(), strconv.Itoa(i), 1, r)
			require.NoError(t, err)
			require.Equal(t, want, res.Allowed)
		}
	}
}

// Keys whose bucket is full are replaced.
func TestIdleKeysAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places, n = 5000, 3000
		r := quota.Rate{Requests: 1, Per: time.Minute}
		store := quota.NewMemoryStore(places)
		for round := range 20 {
			for i := range n {
				key := fmt.Sprint(round, "-", i)
				res, err := store.Take(t.Context(), key, 1, r)
				require.NoError(t, err)
				require.True(t, res.Allowed, key)
			}
			for i := range n {
				key := fmt.Sprint(round, "-", i)
				res, err := store.Take(t.Context(), key, 1, r)
				require.NoError(t, err)
				require.False(t, res.Allowed, key)
			}
			time.Sleep(time.Minute + 1)
		}
	})
}

// A flood of keys does not replace keys that are being refused, and its own keys are
// limited, too.
func TestFloodFreesNoKeyThatIsBeingRefused(t *testing.T) {
	for _, tt := range []struct {
		desc          string
		maxKeys, held int
		rate          quota.Rate
	}{
		{"a few of many", 4096, 100, quota.Rate{Requests: 5, Per: time.Hour}},
		{"most of them", 4096, 3500, quota.Rate{Requests: 5, Per: time.Hour}},
		{"one request each", 4096, 1000, quota.Rate{Requests: 1, Per: time.Hour}},
		{"all of them", 64, 64, quota.Rate{Requests: 5, Per: time.Hour}},
		{"a single place", 1, 1, quota.Rate{Requests: 1, Per: time.Hour}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := quota.NewMemoryStore(tt.maxKeys)
				take := func(key string) bool {
					res, err := store.Take(t.Context(), key, 1, tt.rate)
					require.NoError(t, err)
					return res.Allowed
				}
				for i := range tt.held {
					for range tt.rate.Requests {
						require.True(t, take("held-"+strconv.Itoa(i)))
					}
				}
				for i := range 50_000 {
					take("flood-" + strconv.Itoa(i))
					if i%1000 == 0 {
						for i := range tt.held {
							require.False(t, take("held-"+strconv.Itoa(i)), "held-%d is free after a flood", i)
						}
					}
				}
				time.Sleep(tt.rate.Per)
				for i := range tt.held {
					require.True(t, take("held-"+strconv.Itoa(i)), "its time has come")
				}
			})
		})
	}
}

// If there is no place left, new keys share a bucket, so they are limited.
func TestKeysWithoutAPlaceAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := quota.Rate{Requests: 1, Per: time.Hour}
		store := quota.NewMemoryStore(1)
		allowed := 0
		for i := range 1000 {
			res, err := store.Take(t.Context(), strconv.Itoa(i), 1, r)
			require.NoError(t, err)
			if res.Allowed {
				allowed++
			}
		}
		require.Equal(t, 2, allowed, "one has the place, and one what the others share")
	})
}

// A request that costs too much is refused, but does not protect its key.
func TestTooCostlyRequestsDoNotProtectTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := quota.Rate{Requests: 10, Per: time.Hour}
		store := quota.NewMemoryStore(1)
		take := func(key string, cost int) quota.Result {
			res, err := store.Take(t.Context(), key, cost, r)
			require.NoError(t, err)
			return res
		}
		take("a", 1)
		require.False(t, take("a", 11).Allowed)
		require.Equal(t, 9, take("b", 1).Remaining)
		require.Equal(t, 8, take("b", 1).Remaining, "b has the place")
	})
}

func TestMemoryOfAKey(t *testing.T) {
	const n = 1_000_000
	r := quota.Rate{Requests: 100, Per: time.Hour}
	store := quota.NewMemoryStore(n)
	keys := make([]string, n)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for _, k := range keys {
		if _, err := store.Take(t.Context(), k, 1, r); err != nil {
			t.Fatal(err)
		}
	}
	bytes := float64(heap()-before) / n
	t.Logf("%.1f bytes a key", bytes)
	require.LessOrEqual(t, bytes, 100.)

	for i := range 2 * n { // it does not grow further
		if _, err := store.Take(t.Context(), "flood-"+keys[i%n]+keys[i/n], 1, r); err != nil {
			t.Fatal(err)
		}
	}
	require.LessOrEqual(t, float64(heap()-before)/n, 100.)
	runtime.KeepAlive(store)
	runtime.KeepAlive(keys)
}

func TestTakeAllocatesNothing(t *testing.T) {
	r := quota.Rate{Requests: 100, Per: time.Second}
	store := quota.NewMemoryStore(1000)
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = store.Take(ctx, "203.0.113.7", 1, r) }))
}
