package quota

import (
	"context"
	"errors"
	"hash/maphash"
	"math"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// NewMemoryStore returns a Store in the memory of this process. Use it if several
// policies should share a Store, or as the fallback of another Store. It keeps at
// most maxKeys keys (100,000 if maxKeys is 0), and takes 43 to 86 bytes for each.
//
// A key whose bucket is full can be dropped without loss, so its place is reused
// first. If all places are taken and a new key arrives, the store looks at a few
// dozen places. If no bucket there is full, the new key replaces the one whose
// bucket will be full first, but never a key whose next request would be refused.
// If only such keys were found, the store looks for a full bucket in a few hundred
// more places. If there is none, the new key shares one bucket with others like it,
// in its shard of the table. So a client cannot escape its limit by sending many
// keys. No goroutine sweeps the table.
//
// Keys are compared by 128 bits of two hashes with random seeds, so clients cannot
// produce collisions. NewMemoryStore panics if maxKeys is negative.
func NewMemoryStore(maxKeys int) Store {
	if maxKeys < 0 {
		panic("quota: NewMemoryStore: maxKeys must not be negative")
	}
	return newMemory(maxKeys)
}

// memory is a Store. A decision locks one shard, chosen by the key's hash.
type memory struct {
	shards []shard
	shift  uint
	seeds  [2]maphash.Seed
	start  time.Time
	places
}

// places bounds the keys of all shards together.
type places struct {
	max   int64
	taken atomic.Int64
	next  atomic.Uint64 // the next shard to look at for an idle entry
}

func (p *places) take() bool {
	switch {
	case p.taken.Load() >= p.max:
		return false
	case p.taken.Add(1) > p.max:
		p.taken.Add(-1)
		return false
	}
	return true
}

// Bounds on the number of shards. There must be so many that cores rarely contend,
// but so few that each has room for uneven hashing. A shard must be small, so that
// it is locked only for microseconds when its table grows. mostShards take 32 MB, and
// are enough for a billion keys.
const (
	shardsPerCore = 16
	leastPerShard = 64
	mostPerShard  = 4096
	mostShards    = 1 << 18
)

func newMemory(maxKeys int) *memory {
	if maxKeys == 0 {
		maxKeys = defaultMaxKeys
	}
	n := max(min(maxKeys/mostPerShard, mostShards), min(shardsPerCore*runtime.GOMAXPROCS(0), maxKeys/leastPerShard), 1)
	n = 1 << bits.Len(uint(n-1))
	return &memory{
		shards: make([]shard, n),
		shift:  uint(64 - bits.Len(uint(n-1))),
		seeds:  [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		start:  time.Now(),
		places: places{max: int64(maxKeys)},
	}
}

type shard struct {
	mu sync.Mutex
	table
	shared entry // the bucket of the keys for which there is no place

	_ [32]byte // pads to 128 bytes: shards do not share a cache line, nor a pair of cache lines
}

// Take implements [Store]. It does not fail if r is valid.
func (m *memory) Take(_ context.Context, key string, cost int, r Rate) (Result, error) {
	if r.Requests <= 0 || r.Per <= 0 || r.Burst < 0 {
		return Result{}, errors.New("quota: " + joined(r.validate()).Error())
	}
	r = r.withDefaults()
	id := id{maphash.String(m.seeds[0], key) | 1, maphash.String(m.seeds[1], key)}
	s := &m.shards[id[1]>>m.shift]
	now := int64(time.Since(m.start))

	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(id)
	if e == nil {
		if cost <= 0 || cost > r.Burst {
			_, res := r.take(span{}, cost)
			return res, nil
		}
		if e = &s.shared; m.take() || m.reclaim(s, now) {
			e = s.place(id, now, &m.places)
		}
	}
	res := e.take(now, cost, r)
	if e != &s.shared {
		s.note(e)
	}
	return res, nil
}

// The number of other shards that are searched for an idle entry. Shards do not
// fill up evenly. So a few shards are searched before an entry that is not idle is
// dropped, and many before a new key gets no place. The number is bounded, because
// a flood of new keys causes a search for each request.
const (
	shardsBeforeDrop  = 2
	shardsBeforeShare = 32
)

// reclaim frees a place for a new key of s. The lock of s is held.
func (m *memory) reclaim(s *shard, now int64) bool {
	slot, idle := s.look(now)
	if idle {
		s.remove(slot)
		return true
	}
	shards := shardsBeforeShare
	if slot >= 0 {
		shards = shardsBeforeDrop
	}
	for range shards {
		o := &m.shards[m.next.Add(1)%uint64(len(m.shards))]
		if o == s || !o.mu.TryLock() { // Lock could deadlock
			continue
		}
		found := o.dropIdle(now)
		o.mu.Unlock()
		if found {
			return true
		}
	}
	if slot >= 0 {
		s.remove(slot)
	}
	return slot >= 0
}

// dropIdle drops an idle entry if it finds one.
func (t *table) dropIdle(now int64) bool {
	if now <= t.soonest {
		return false
	}
	slot, idle := t.look(now)
	if idle {
		t.remove(slot)
	}
	return idle
}

// take takes cost from the bucket of the entry.
func (e *entry) take(now int64, cost int, r Rate) Result {
	away := span{}
	if e.full >= now {
		away = span{e.full - now, uint64(e.num)}
	}
	away, res := r.take(away, cost)
	if uint64(r.Requests) > 1<<32 && away.num > 0 { // the numerator may not fit into 32 bits
		away = span{ns: away.ns + 1}
	}
	e.full, e.num = now+away.ns, uint32(away.num)
	if cost >= 0 && r.Burst < math.MaxInt { // Charge sets another Burst, and giving back sets another Per
		e.one = newShort(r.spanOf(r.Burst - 1).ns)
	}
	return res
}
