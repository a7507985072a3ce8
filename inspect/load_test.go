//go:build wire

package inspect_test

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/inspect"
)

var (
	loadFor  = flag.Duration("load.for", 10*time.Second, "how long the load lasts")
	loadRate = flag.Int("load.rate", 20_000, "requests a second")
)

var (
	contended = regexp.MustCompile(`(?m)^(\d+) \d+ @`)
	ourMutex  = regexp.MustCompile(`(?m)^#\t\S+\tsync\.\(\*\w+\)\.\S+.*\n#\t\S+\tgithub\.com/bulwark-go/bulwark/(inspect|internal/exchange)\.`)
)

// waits returns for how long goroutines have waited for a mutex of package inspect, or
// of package exchange. Waits inside the runtime do not count.
func waits(t *testing.T) time.Duration {
	t.Helper()
	var b strings.Builder
	require.NoError(t, pprof.Lookup("mutex").WriteTo(&b, 1))
	_, rate, _ := strings.Cut(b.String(), "cycles/second=")
	rate, _, _ = strings.Cut(rate, "\n")
	second, err := strconv.ParseFloat(rate, 64)
	require.NoError(t, err)
	var total float64
	for _, one := range strings.Split(b.String(), "\n\n") {
		if m := contended.FindStringSubmatch(one); m != nil && ourMutex.MatchString(one) {
			cycles, err := strconv.ParseFloat(m[1], 64)
			require.NoError(t, err)
			total += cycles
			t.Log(one)
		}
	}
	return time.Duration(total / second * float64(time.Second))
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// With 10,000 requests in flight, thousands of new ones each second, and a page that
// refreshes, no request waits for another, and the memory does not grow.
func TestLoad(t *testing.T) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stuck", release.wait)
	mux.Handle("GET /users/{id}", jsonMux())
	h := stack(in, time.Hour, io.Discard)(mux)
	var stuck sync.WaitGroup
	defer stuck.Wait()
	defer release.open()
	for range 10_000 {
		stuck.Go(func() { serve(h, "/stuck") })
	}
	eventually(t, in, func(r report) bool { return r.InFlight == 10_000 })
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))

	refresh := func(n int) {
		w := get(t, in, "sort=left")
		require.Equal(t, http.StatusOK, w.Code)
		r := look(t, in)
		lookInto(t, in, r.Requests[n%len(r.Requests)].Key)
	}
	refresh(0)
	first := heap() // with the requests that are stuck, and without garbage

	const workers = 4
	begin := time.Now()
	served := make([]int, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for tick := time.NewTicker(5 * time.Millisecond); time.Since(begin) < *loadFor; <-tick.C {
				for due := int(time.Since(begin).Seconds() * float64(*loadRate) / workers); served[i] < due; served[i]++ {
					h.ServeHTTP(&discardWriter{make(http.Header)}, httptest.NewRequest(http.MethodGet, "/users/7", nil))
				}
			}
		})
	}
	for n := 0; time.Since(begin) < *loadFor; n++ {
		refresh(n)
		time.Sleep(500 * time.Millisecond)
	}
	wg.Wait()
	last := heap()
	total := 0
	for _, n := range served {
		total += n
	}
	took := time.Since(begin)
	t.Logf("%d requests in %v, %.0f a second; heap %d MiB, then %d MiB", total, took, float64(total)/took.Seconds(), first>>20, last>>20)
	assert.Less(t, waits(t), took/1000, "goroutines wait for each other in package inspect")
	assert.Less(t, last, first+4<<20)
}
