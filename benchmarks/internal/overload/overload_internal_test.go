package overload

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Each workload has as much work as its load says.
func TestWorkloadsKeepTheirMeans(t *testing.T) {
	for _, w := range workloads() {
		t.Run(w.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			var all, work time.Duration
			requests := 0
			for range 100_000 {
				gap, n := w.next(r, 3)
				all += gap
				requests += n
				for range n {
					work += w.service(r)
				}
			}
			assert.InEpsilon(t, 3*capacity, float64(requests)/all.Seconds(), 0.02)
			assert.InEpsilon(t, service.Seconds(), work.Seconds()/float64(requests), 0.02)
		})
	}
}

// The backend runs as many requests as it has workers at full speed, and twice as
// many at half of it.
func TestBackendSharesItsWorkers(t *testing.T) {
	for _, n := range []int{1, workers, 2 * workers, 4 * workers} {
		synctest.Test(t, func(t *testing.T) {
			b := newBackend()
			done := make(chan time.Duration, n)
			begin := time.Now()
			for range n {
				go func() {
					assert.True(t, b.work(105*time.Millisecond))
					done <- time.Since(begin)
				}()
			}
			var last time.Duration
			for range n {
				last = max(last, <-done)
			}
			assert.InDelta(t, float64(105*time.Millisecond*time.Duration(max(1, n/workers))), float64(last), float64(quantum))
		})
	}
}

// A backend that stops releases all requests that wait for a worker.
func TestBackendStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		done := make(chan bool, 100)
		for range 100 {
			go func() { done <- b.work(time.Hour) }()
		}
		time.Sleep(time.Second)
		close(b.stop)
		ended := 0
		for range 100 {
			if !<-done {
				ended++
			}
		}
		assert.GreaterOrEqual(t, ended, 100-workers)
	})
}
