package inspect

import (
	"maps"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// The page shows the last ten minutes in intervals of five seconds.
const (
	interval  = 5 * time.Second
	intervals = 120
	maxRoutes = 100 // all other routes are counted together
	recents   = 256 // the number of results of place
)

// stats counts the requests that have ended, by route. A request increments two
// counters of a shard. Counters are never reset: the counts of an interval are the
// difference to the counts before it. The first request of the next interval
// computes the difference, so no goroutine is needed.
type stats struct {
	mask   uint32
	began  time.Time
	now    atomic.Int64              // the interval that is being counted
	next   atomic.Pointer[time.Time] // when the next interval begins
	routes atomic.Pointer[map[string]*routeStats]
	recent [recents]atomic.Pointer[routeStats] // by place
	other  *routeStats

	mu sync.Mutex // held while an interval ends, a route is added, or the history is read
}

// routeStats has the counters of one route.
type routeStats struct {
	pattern string
	shards  []shard
	before  counts            // the counters when the interval began; guarded by stats.mu
	history [intervals]counts // indexed by interval modulo intervals; guarded by stats.mu
}

// shard is a set of counters. Different shards are on different cache lines.
type shard struct {
	ok       [buckets]atomic.Uint32 // durations of requests whose outcome is OK
	bad      [buckets]atomic.Uint32 // durations of all other requests
	outcomes [len(outcomes) + 1]atomic.Uint32
	_        [16]uint32
}

// outcomes are in the order of the counters. The counter after the last is for
// outcomes that are not in the list.
var outcomes = [...]exchange.Outcome{
	exchange.OK, exchange.Error, exchange.DeadlineHit, exchange.Gone, exchange.WriteTimeout, exchange.WriteError,
	exchange.ShortBody, exchange.Panic, exchange.Aborted, exchange.Upgraded, exchange.Refused,
}

func outcomeIndex(o exchange.Outcome) int {
	for i := range outcomes {
		if outcomes[i] == o {
			return i
		}
	}
	return len(outcomes)
}

func (s *stats) start() {
	shards := 1
	for shards < runtime.GOMAXPROCS(0) && shards < 16 {
		shards *= 2
	}
	s.began, s.mask = time.Now(), uint32(shards-1)
	s.begin(0)
	s.other = &routeStats{pattern: "(other routes)", shards: make([]shard, shards)}
	s.routes.Store(&map[string]*routeStats{})
}

// Ended implements exchange.Inspector. It counts the request. The most frequent
// outcome costs only one addition.
func (in *watcher) Ended(x *exchange.Exchange, slot uint32, route string, o exchange.Outcome, took time.Duration) {
	s := &in.stats
	if !x.Start().Before(*s.next.Load()) || took > short {
		s.tick(x.Start().Sub(s.began) + took)
	}
	r := s.recent[place(route)].Load()
	if r == nil || r.pattern != route {
		r = s.of(route)
	}
	c := &r.shards[slot&s.mask]
	if o == exchange.OK {
		c.ok[bucket(took)].Add(1)
		return
	}
	c.outcomes[outcomeIndex(o)].Add(1)
	if o != exchange.Upgraded { // its duration says nothing about the service
		c.bad[bucket(took)].Add(1)
	}
}

// short is a duration. If a request takes less, it counts in the interval in which
// it started, which saves reading the clock.
const short = 50 * time.Millisecond

// tick begins the interval that at belongs to, unless another request has already
// begun it. at is the time since the start of the inspector.
func (s *stats) tick(at time.Duration) {
	if n := int64(at / interval); n > s.now.Load() && s.mu.TryLock() {
		s.end(n)
		s.mu.Unlock()
	}
}

// of returns the counters of a route that was not found at its place.
func (s *stats) of(route string) *routeStats {
	all := *s.routes.Load()
	r := all[route]
	switch {
	case r != nil:
	case len(all) >= maxRoutes:
		return s.other
	default:
		r = s.add(route)
	}
	if recent := &s.recent[place(route)]; recent.Load() == nil {
		recent.Store(r) // the first route stays: if two routes took turns, each core would take the cache line from the other
	}
	return r
}

// place returns the index in recent at which a route may be found faster than in
// the map.
func place(route string) uint8 {
	n := len(route)
	if n == 0 {
		return 0
	}
	return uint8(n)*31 + route[n-1]
}

func (s *stats) add(route string) *routeStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := *s.routes.Load()
	if r := all[route]; r != nil {
		return r
	}
	if len(all) >= maxRoutes {
		return s.other
	}
	more := make(map[string]*routeStats, len(all)+1)
	maps.Copy(more, all)
	r := &routeStats{pattern: strings.Clone(route), shards: make([]shard, s.mask+1)}
	more[r.pattern] = r
	s.routes.Store(&more)
	return r
}

// end adds the counts to the history and begins interval n. mu must be held.
func (s *stats) end(n int64) {
	before := s.now.Load()
	if n <= before {
		return
	}
	for _, r := range *s.routes.Load() {
		r.end(before, n)
	}
	s.other.end(before, n)
	s.begin(n)
}

func (s *stats) begin(n int64) {
	next := s.began.Add(time.Duration(n+1) * interval)
	s.now.Store(n)
	s.next.Store(&next)
}

func (r *routeStats) end(before, n int64) {
	r.history[before%intervals] = r.taken()
	for i := before + 1; i <= n && i <= before+intervals; i++ {
		r.history[i%intervals] = counts{}
	}
}

// taken returns what was counted since its last call.
func (r *routeStats) taken() counts {
	var sum counts
	for i := range r.shards {
		from := &r.shards[i]
		for j := range sum.times {
			ok := from.ok[j].Load()
			sum.outcomes[0] += ok
			sum.times[j] += ok + from.bad[j].Load()
		}
		for j := range sum.outcomes {
			sum.outcomes[j] += from.outcomes[j].Load()
		}
	}
	c := sum
	c.subtract(&r.before)
	r.before = sum
	return c
}

// series is the history of one route, the oldest interval first. The current
// interval is not part of it.
type series struct {
	pattern string
	past    []counts
}

// read returns the history. at is the time since the start of the inspector.
func (s *stats) read(at time.Duration) []series {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(at / interval)
	s.end(n)
	n = s.now.Load()
	var all []series
	for _, r := range *s.routes.Load() {
		all = append(all, r.read(n))
	}
	if o := s.other.read(n); o.total() > 0 {
		all = append(all, o)
	}
	return all
}

func (r *routeStats) read(n int64) series {
	out := series{pattern: r.pattern}
	for i := max(0, n-intervals+1); i < n; i++ {
		out.past = append(out.past, r.history[i%intervals])
	}
	return out
}

func (s *series) total() (n uint64) {
	for i := range s.past {
		n += s.past[i].total()
	}
	return n
}
