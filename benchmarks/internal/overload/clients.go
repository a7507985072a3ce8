package overload

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// patience is how long a client waits for a response before it gives up.
const patience = time.Second

// attempts is how often a client tries. pause is about how long it waits between
// two attempts, unless Retry-After asks for more.
const (
	attempts = 2
	pause    = time.Second
)

// clients send requests in an open loop: a slow response does not delay other
// clients.
type clients struct {
	url    string
	http   *http.Client
	window func(time.Time) bool // whether a request at that time counts

	mu      sync.Mutex
	millis  []float64 // the latencies of requests that got a 200
	useful  time.Duration
	refused int
	gone    int
	failed  int
	late    []float64 // how many milliseconds too late each request was sent
}

// run sends the requests of the workload at the given load until ctx ends, and
// waits for their responses.
func (c *clients) run(ctx context.Context, w workload, load float64, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1)) // reproducible
	var all sync.WaitGroup
	defer all.Wait()
	for at := time.Now(); ; {
		gap, n := w.next(r, load)
		at = at.Add(gap)
		if !sleep(ctx, time.Until(at)) {
			return
		}
		if now := time.Now(); c.window(now) {
			c.late = append(c.late, now.Sub(at).Seconds()*1e3)
		}
		for range n {
			took, jitter := w.service(r), time.Duration(r.Int64N(int64(pause)))
			all.Go(func() { c.client(ctx, took, jitter) })
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// client is one client: it sends a request, gives up after patience, and tries
// again later.
func (c *clients) client(ctx context.Context, took, jitter time.Duration) {
	for range attempts {
		after, ok := c.attempt(ctx, took)
		if ok || !sleep(ctx, max(after, pause/2)+jitter) {
			return
		}
	}
}

func (c *clients) attempt(ctx context.Context, took time.Duration) (after time.Duration, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	status, after, err := c.get(ctx, took)
	ended := time.Now()
	if !c.window(ended) {
		return after, status == http.StatusOK
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case status == http.StatusOK && err == nil:
		c.millis = append(c.millis, ended.Sub(began).Seconds()*1e3)
		c.useful += took
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		c.refused++
	case ctx.Err() != nil:
		c.gone++
	default:
		c.failed++
	}
	return after, status == http.StatusOK && err == nil
}

func (c *clients) get(ctx context.Context, took time.Duration) (status int, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/?%s=%d", c.url, query, took), http.NoBody)
	if err != nil {
		return 0, 0, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, time.Duration(seconds) * time.Second, err
}
