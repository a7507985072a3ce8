package overload

import (
	"context"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
)

// Effort is how long each cell of the table takes: Warm until the queues are
// stable, and then For.
type Effort struct {
	Warm, For time.Duration
	Loads     []float64 // × capacity
	Parallel  int       // contenders that run at once
	Rounds    int       // of the refusals
}

// Full is for results, Short for a quick look.
var (
	Full  = Effort{Warm: 3 * time.Second, For: 6 * time.Second, Loads: []float64{0.5, 1, 2, 3, 5}, Parallel: 2, Rounds: 5}
	Short = Effort{Warm: 2 * time.Second, For: time.Second, Loads: []float64{0.5, 3}, Parallel: 2, Rounds: 1}
)

// cell is the result of a contender at one load.
type cell struct {
	goodput       float64 // requests that got a 200 within the clients' patience, as a fraction of the capacity
	p50, p99      float64 // latencies of these requests, in milliseconds; NaN if there were none
	wasted        float64 // the fraction of the work that was done for other requests
	refused, gone int
	failed        int
	late          float64 // p99 of the delay with which requests were sent, in milliseconds; if it is large, the machine had no time for the clients
}

// run simulates the workload w at the given load for each contender.
func (e Effort) run(w workload, load float64, seed uint64) []cell {
	cs := contenders()
	cells := make([]cell, len(cs))
	slots := make(chan struct{}, e.Parallel)
	var all sync.WaitGroup
	for i, c := range cs {
		all.Go(func() {
			slots <- struct{}{}
			cells[i] = e.cell(c, w, load, seed)
			<-slots
		})
	}
	all.Wait()
	return cells
}

func (e Effort) cell(c contender, w workload, load float64, seed uint64) cell {
	b := newBackend()
	srv := httptest.NewUnstartedServer(c.wrap(b))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	tr := &http.Transport{MaxIdleConnsPerHost: math.MaxInt, DisableCompression: true}
	begin := time.Now()
	from, to := begin.Add(e.Warm), begin.Add(e.Warm+e.For)
	cl := &clients{url: srv.URL, http: &http.Client{Transport: tr}, window: func(t time.Time) bool { return t.After(from) && !t.After(to) }}

	ctx, cancel := context.WithDeadline(context.Background(), to)
	defer cancel()
	var warm atomic.Int64
	time.AfterFunc(e.Warm, func() { warm.Store(b.worked.Load()) })
	cl.run(ctx, w, load, seed)
	worked := time.Duration(b.worked.Load() - warm.Load())
	close(b.stop)
	tr.CloseIdleConnections()
	srv.CloseClientConnections()
	srv.Close()
	return cl.cell(e.For, worked)
}

func (c *clients) cell(d, worked time.Duration) cell {
	got := cell{
		goodput: float64(len(c.millis)) / (d.Seconds() * capacity),
		p50:     math.NaN(), p99: math.NaN(),
		refused: c.refused, gone: c.gone, failed: c.failed,
	}
	if len(c.millis) > 0 {
		got.p50, got.p99 = measure.At(c.millis, 0.5), measure.At(c.millis, 0.99)
	}
	if len(c.late) > 0 {
		got.late = measure.At(c.late, 0.99)
	}
	if worked > 0 {
		got.wasted = max(0, 1-float64(c.useful)/float64(worked))
	}
	return got
}
