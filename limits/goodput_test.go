package limits_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
)

// At three times the load that MaxInFlight can serve, with clients that leave after a
// second, at least nine tenths of the capacity goes to requests that are served in
// time. If they arrive one by one, they are served within a third of that. Without
// QueueTarget most of the capacity is wasted on clients that have left.
func TestGoodputUnderOverload(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		burst  float64
		target time.Duration
		check  func(t *testing.T, goodput, p99 float64)
	}{
		{"Poisson", 1, 0, func(t *testing.T, goodput, p99 float64) {
			assert.GreaterOrEqual(t, goodput, 0.9)
			assert.LessOrEqual(t, p99, 1.0/3)
		}},
		{"bursts", 10, 0, func(t *testing.T, goodput, _ float64) { assert.GreaterOrEqual(t, goodput, 0.9) }},
		{"Poisson, without QueueTarget", 1, time.Second, func(t *testing.T, goodput, _ float64) {
			assert.LessOrEqual(t, goodput, 0.5)
		}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := limits.New(limits.Config{MaxInFlight: 4, MaxQueue: 1000, QueueTarget: tc.target})(newSleeper())
				goodput, p99 := overload(h, tc.burst)
				tc.check(t, goodput, p99)
			})
		})
	}
}

// overload has requests come to h for half a minute, at three times the 125 a
// second that 4 permits bear with an exponential service time of 32 ms. The first
// seconds do not count.
func overload(h http.Handler, burst float64) (goodput, p99 float64) {
	const (
		capacity   = 125
		warm, ends = 3 * time.Second, 33 * time.Second
	)
	r := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	var seconds []float64
	var all sync.WaitGroup
	for begin := time.Now(); time.Since(begin) < ends; {
		time.Sleep(time.Duration(r.ExpFloat64() * burst / (3 * capacity) * float64(time.Second)))
		n := 1
		if burst > 1 {
			n += int(r.ExpFloat64() * (burst - 0.5))
		}
		for range n {
			service := time.Duration(r.ExpFloat64() * float64(32*time.Millisecond))
			all.Go(func() {
				sent := time.Now()
				ctx, leave := context.WithCancel(context.Background())
				defer leave()
				defer time.AfterFunc(time.Second, leave).Stop()
				w, _ := do(ctx, h, "/?took="+service.String())
				took := time.Since(sent)
				if w.Code != http.StatusOK || took >= time.Second || sent.Sub(begin) < warm {
					return
				}
				mu.Lock()
				seconds = append(seconds, took.Seconds())
				mu.Unlock()
			})
		}
	}
	all.Wait()
	slices.Sort(seconds)
	return float64(len(seconds)) / (capacity * (ends - warm).Seconds()), seconds[len(seconds)*99/100]
}
