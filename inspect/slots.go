package inspect

import (
	"math/bits"
	"math/rand/v2"
	"reflect"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// slot holds one request in flight. Taking a slot and giving it back is one atomic
// operation each. The page reads everything from the exchange, which belongs to one
// request only. So a reader that is late sees an old request, but never a mixture
// of two. A slot has the size of a cache line, so that cores do not write to the same
// one.
type slot struct {
	x     atomic.Pointer[exchange.Exchange] // nil if the slot is free
	watch exchange.Watch                    // its labels are made for the first request
}

// slots is a table that grows with the number of requests in flight.
type slots struct {
	watcher  *watcher
	labeled  bool
	prefix   string // the prefix of the labels; it is different in each table
	none     slot   // for requests that find no slot
	unlisted atomic.Int64

	size     atomic.Uint32 // a power of two
	max      uint32
	segments []atomic.Pointer[segment]
	growing  sync.Mutex
}

const segmentSize = 256

type segment [segmentSize]slot

func newSlots(maxEntries int, labeled bool, w *watcher) *slots {
	size := max(segmentSize, uint32(1)<<bits.Len32(uint32(maxEntries-1)))
	t := &slots{watcher: w, labeled: labeled, max: size, segments: make([]atomic.Pointer[segment], size/segmentSize)}
	t.prefix = strconv.FormatUint(uint64(rand.Uint32()), 36) + "."
	t.none.watch.Inspector = w
	t.segments[0].Store(t.newSegment(0))
	t.size.Store(segmentSize)
	return t
}

// list gives the request a slot, or none, and gives this goroutine the labels of the
// slot. The client's address determines the slot that is tried first. An HTTP/1
// connection has one request at a time, so its requests usually get the same slot,
// which is then in the cache of their core.
//
// The exchange gets the Watch before the page can find the exchange.
func (t *slots) list(x *exchange.Exchange, client string) *slot {
	s := t.at(home(client) & (t.size.Load() - 1))
	x.Inspection().SetWatch(&s.watch)
	if s.x.Load() != nil || !s.x.CompareAndSwap(nil, x) {
		if s = t.search(x); s == &t.none {
			return s
		}
	}
	if t.labeled {
		if s.watch.Labels == nil {
			t.makeLabels(s)
		}
		pprof.SetGoroutineLabels((*slotContext)(s))
	}
	return s
}

// home returns a number that depends on the last four digits of the client's port.
func home(client string) uint32 {
	n := len(client)
	if n < 4 {
		return 0
	}
	c := client[n-4:]
	return (uint32(c[0]) | uint32(c[1])<<8 | uint32(c[2])<<16 | uint32(c[3])<<24) * 0x9e3779b1 >> 8
}

// search returns a free slot anywhere in the table, or none.
func (t *slots) search(x *exchange.Exchange) *slot {
	for {
		size := t.size.Load()
		if s := t.probe(x, size); s != nil {
			return s
		}
		if !t.grow(size) {
			t.unlisted.Add(1)
			x.Inspection().SetWatch(&t.none.watch)
			return &t.none
		}
	}
}

// How many slots are tried before the table grows (probes), and if it cannot grow
// (lastProbes).
const (
	probes     = 12
	lastProbes = 72
)

// probe looks for a free slot. The address of the exchange determines the order.
func (t *slots) probe(x *exchange.Exchange, size uint32) *slot {
	n := probes
	if size == t.max {
		n = lastProbes
	}
	const spread = 0x9e3779b1
	at := uint32(reflect.ValueOf(x).Pointer() >> 5)
	for range n {
		at = (at + 1) * spread
		at ^= at >> 15
		s := t.at(at & (size - 1))
		x.Inspection().SetWatch(&s.watch)
		if s.x.Load() == nil && s.x.CompareAndSwap(nil, x) {
			return s
		}
	}
	return nil
}

func (t *slots) at(i uint32) *slot { return &t.segments[i/segmentSize].Load()[i%segmentSize] }

// newSegment returns segment i. Its slots have no labels yet.
func (t *slots) newSegment(i uint32) *segment {
	g := new(segment)
	for j := range g {
		w := &g[j].watch
		w.Inspector, w.Holder, w.Slot = t.watcher, &g[j].x, i*segmentSize+uint32(j)
	}
	return g
}

// grow doubles the table, unless another request has already done so.
func (t *slots) grow(from uint32) bool {
	t.growing.Lock()
	defer t.growing.Unlock()
	if t.size.Load() != from {
		return true
	}
	if from == t.max {
		return false
	}
	for i := from / segmentSize; i < 2*from/segmentSize; i++ {
		t.segments[i].Store(t.newSegment(i))
	}
	t.size.Store(2 * from)
	return true
}

// leave gives the slot back when the handler has ended. That may be after the end
// of the request.
func (t *slots) leave(x *exchange.Exchange, w *exchange.Watch) {
	if x.Detached() {
		x.WhenHandlerEnds(func() { t.free(w) })
		return
	}
	t.free(w)
}

func (t *slots) free(w *exchange.Watch) {
	if w.Holder == nil {
		t.unlisted.Add(-1)
		return
	}
	w.Holder.Store(nil)
}

// entry is a request in flight and its slot.
type entry struct {
	x    *exchange.Exchange
	slot uint32
}

// all returns the requests in flight.
func (t *slots) all() []entry {
	var all []entry
	for i := range t.size.Load() {
		if x := t.at(i).x.Load(); x != nil {
			all = append(all, entry{x, i})
		}
	}
	return all
}
