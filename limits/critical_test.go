package limits_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
)

func critical(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/critical") }

// Ordinary requests never hold the reserve, and critical ones may hold all permits.
func TestReserve(t *testing.T) {
	for _, tc := range []struct{ inFlight, want int }{{2, 1}, {10, 9}, {19, 18}, {20, 18}, {105, 95}} {
		synctest.Test(t, func(t *testing.T) {
			inner := newHeld()
			inner.started = make(chan string, 1000)
			h := limits.New(limits.Config{MaxInFlight: tc.inFlight, Critical: critical})(inner)
			for range 2 * tc.inFlight {
				go do(t.Context(), h, "/")
			}
			synctest.Wait()
			assert.Len(t, inner.started, tc.want)
			for range 2 * tc.inFlight {
				go do(t.Context(), h, "/critical")
			}
			synctest.Wait()
			assert.Len(t, inner.started, tc.inFlight)
			close(inner.release)
			synctest.Wait()
			for range 2 * tc.inFlight { // in the other order, all permits are free again
				go do(t.Context(), h, "/critical")
			}
			synctest.Wait()
			assert.Len(t, inner.started, 3*tc.inFlight)
		})
	}
}

// Ten times more ordinary requests than can be served fill the queue, but do not delay
// a critical request.
func TestFloodDoesNotStarveCritical(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limits.New(limits.Config{MaxInFlight: 10, MaxQueue: 50, MaxWait: time.Second, Critical: critical})(newSleeper())
		done := make(chan struct{})
		go func() { // 100 a second can be served
			defer close(done)
			arrive(t.Context(), h, "/?took=100ms", every(5000, 0, time.Millisecond))
		}()
		all := every(45, 0, 100*time.Millisecond) // 1 of the 10 permits
		arrive(t.Context(), h, "/critical?took=90ms", all)
		for _, a := range all {
			assert.Equal(t, 200, a.code)
			assert.LessOrEqual(t, a.waited, 100*time.Millisecond)
		}
		<-done
	})
}

// A flood of critical requests does not shut out ordinary ones, because they wait in
// the same queue.
func TestCriticalDoesNotStarveOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limits.New(limits.Config{MaxInFlight: 10, MaxQueue: 50, MaxWait: time.Second, Critical: critical})(newSleeper())
		done := make(chan struct{})
		go func() {
			defer close(done)
			arrive(t.Context(), h, "/critical?took=100ms", every(5000, 0, time.Millisecond))
		}()
		all := every(90, time.Millisecond/2, 50*time.Millisecond) // a fifth of what can be served
		arrive(t.Context(), h, "/?took=100ms", all)
		good := 0
		for _, a := range all {
			if a.code == 200 {
				good++
			}
		}
		assert.GreaterOrEqual(t, good, 40)
		<-done
	})
}

// A critical waiter gets the next permit that is released, even if an ordinary request
// held it. It does not wait for one of the reserve.
func TestCriticalTakesAnyPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limits.New(limits.Config{MaxInFlight: 2, MaxQueue: 5, MaxWait: time.Hour, Critical: critical})(newSleeper())
		go do(t.Context(), h, "/?took=1s")
		go do(t.Context(), h, "/critical/long?took=1h")
		synctest.Wait()
		go do(t.Context(), h, "/waits?took=1s")
		synctest.Wait()
		a := every(1, 0, 0)
		arrive(t.Context(), h, "/critical", a)
		assert.Equal(t, 200, a[0].code)
		assert.Equal(t, time.Second, a[0].waited)
		time.Sleep(2 * time.Hour)
	})
}

// Critical runs before a permit is taken, so a Critical that panics takes none.
func TestCriticalPanics(t *testing.T) {
	inner := newHeld()
	close(inner.release)
	h := limits.New(limits.Config{MaxInFlight: 2, Critical: func(r *http.Request) bool {
		if r.URL.Path == "/panic" {
			panic("critical")
		}
		return false
	}})(inner)
	for range 5 {
		assert.PanicsWithValue(t, "critical", func() { do(t.Context(), h, "/panic") })
		w, _ := do(t.Context(), h, "/")
		assert.Equal(t, 200, w.Code)
	}
}
