package bulwarkredis

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/quota"
)

// refusals are keys that will be refused for some time. The server is not asked
// about them. If another process gives back a cost in the meantime, the key is
// refused a little longer than necessary.
type refusals struct {
	seed   maphash.Seed
	start  time.Time
	shards [refusalShards]refusalShard
}

// Bounds on what is kept. The server is asked about all other keys.
const (
	refusalShards = 64
	maxRefusals   = 512 // in a shard
	refusalsTried = 8   // how many are looked at to find one that has ended
)

type refusalShard struct {
	mu    sync.Mutex
	known map[string]refusal
}

type refusal struct {
	rate        quota.Rate
	cost        int
	until, full time.Duration // since start
	remaining   int
}

func newRefusals() *refusals { return &refusals{seed: maphash.MakeSeed(), start: time.Now()} }

func (f *refusals) shard(key string) *refusalShard {
	return &f.shards[maphash.String(f.seed, key)%refusalShards]
}

func (f *refusals) lookup(key string) (refusal, bool) {
	s := f.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.known[key]
	return known, ok
}

// get returns the result for a key that is still refused at this cost or a lower one.
func (f *refusals) get(key string, cost int, r quota.Rate) (quota.Result, bool) {
	known, ok := f.lookup(key)
	now := time.Since(f.start)
	if !ok || known.rate != r || cost < known.cost || cost > r.Burst || now >= known.until {
		return quota.Result{}, false
	}
	more := spanOf(cost-known.cost, r).up()
	return quota.Result{Remaining: known.remaining, RetryAfter: known.until - now + more, ResetAfter: known.full - now}, true
}

// add keeps a refusal that will end.
func (f *refusals) add(key string, cost int, r quota.Rate, res quota.Result) {
	if res.RetryAfter <= 0 {
		return
	}
	now := time.Since(f.start)
	s := f.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.known[key]; !ok && len(s.known) >= maxRefusals && !s.dropOne(now) {
		return
	}
	if s.known == nil {
		s.known = map[string]refusal{}
	}
	s.known[key] = refusal{r, cost, now + res.RetryAfter, now + res.ResetAfter, res.Remaining}
}

// dropOne looks at a few refusals and drops the first that has ended.
func (s *refusalShard) dropOne(now time.Duration) bool {
	tried := 0
	for key, known := range s.known {
		if now >= known.until {
			delete(s.known, key)
			return true
		}
		if tried++; tried == refusalsTried {
			break
		}
	}
	return false
}

func (f *refusals) forget(key string) {
	s := f.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, key)
}
