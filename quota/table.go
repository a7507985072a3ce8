package quota

import (
	"math"
	"math/bits"
)

// id identifies a key. The first half is never 0.
type id [2]uint64

// entry is the state of a key. The bucket fills up at the time
// full + num/Rate.Requests, in nanoseconds since the store began.
type entry struct {
	id   id
	full int64
	num  uint32
	one  short // the longest time until the bucket is full at which it still holds 1
}

func (e *entry) idle(now int64) bool { return e.full < now }

// spent reports whether the next request will be refused. The result may be true
// for a moment too long, but never too short.
func (e *entry) spent(now int64) bool { return e.full-now >= e.one.ns() }

// short is a duration in 32 bits: 26 bits for a number and 6 for its exponent.
type short uint32

func newShort(ns int64) short { // rounds down
	exp := max(0, bits.Len64(uint64(ns))-26)
	return short(ns>>exp<<6 | int64(exp))
}

func (s short) ns() int64 { return int64(s>>6) << (s & 63) }

// table is a hash table with linear probing. It grows only if too many of its entries
// are not idle.
type table struct {
	slots []entry // their number is a power of two
	used  int
	hand  uint64 // the slot at which the next search for an entry to replace begins

	// No entry is idle before soonest. The searches compute it: passed is the
	// earliest time at which an entry becomes full, of the entries that the hand
	// has passed since it was at the end and of those that changed or moved since
	// then.
	soonest, passed int64
}

// note updates passed when an entry has changed or moved.
func (t *table) note(e *entry) { t.soonest, t.passed = min(t.soonest, e.full), min(t.passed, e.full) }

const firstSlots = 8

func (t *table) find(k id) *entry {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := k[0] >> 1 & mask; ; i = (i + 1) & mask {
		switch e := &t.slots[i]; {
		case e.id == k:
			return e
		case e.id[0] == 0:
			return nil
		}
	}
}

// place returns a new entry for k. k is not in the table yet, and a place has been
// taken for it.
func (t *table) place(k id, now int64, p *places) *entry {
	if t.used >= len(t.slots)/4*3 {
		t.resize(now, p)
	}
	t.used++
	return t.add(entry{id: k})
}

func (t *table) add(e entry) *entry {
	mask := uint64(len(t.slots) - 1)
	i := e.id[0] >> 1 & mask
	for t.slots[i].id[0] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = e
	return &t.slots[i]
}

// resize drops the idle entries, and doubles the table if that is not enough. Its
// cost is amortized over the entries that were added since the last call.
func (t *table) resize(now int64, p *places) {
	live := 0
	for i := range t.slots {
		if e := &t.slots[i]; e.id[0] != 0 && !e.idle(now) {
			live++
		}
	}
	p.taken.Add(int64(live - t.used))
	old, size := t.slots, max(len(t.slots), firstSlots)
	if live > size/2 {
		size *= 2
	}
	t.slots, t.used = make([]entry, size), live
	t.soonest, t.passed = math.MaxInt64, math.MaxInt64
	for i := range old {
		if e := &old[i]; e.id[0] != 0 && !e.idle(now) {
			t.note(t.add(*e))
		}
	}
}

// maxLook bounds a search for an entry to drop, in slots.
const maxLook = 16

// look looks at the next few slots. It returns the slot of an idle entry. If there
// is none, it returns the slot of the entry that is not spent and will be full
// first. Without such an entry, slot is -1.
func (t *table) look(now int64) (slot int, idle bool) {
	slot = -1
	for range min(maxLook, len(t.slots)) {
		e := t.next()
		switch {
		case e.id[0] == 0:
		case e.idle(now):
			return int(t.hand), true
		case !e.spent(now) && (slot < 0 || e.full < t.slots[slot].full):
			slot = int(t.hand)
		}
	}
	return slot, false
}

// next moves the hand to the next slot.
func (t *table) next() *entry {
	if t.hand++; t.hand >= uint64(len(t.slots)) {
		t.hand, t.soonest, t.passed = 0, t.passed, math.MaxInt64
	}
	e := &t.slots[t.hand]
	if e.id[0] != 0 {
		t.passed = min(t.passed, e.full)
	}
	return e
}

// remove removes the entry of a slot, and moves the entries after it closer to where
// lookups begin.
func (t *table) remove(slot int) {
	i, mask := uint64(slot), uint64(len(t.slots)-1)
	for j := i; ; {
		j = (j + 1) & mask
		e := &t.slots[j]
		if e.id[0] == 0 {
			break
		}
		home := e.id[0] >> 1 & mask
		if (j-home)&mask >= (j-i)&mask { // a lookup finds the entry at i
			t.slots[i] = *e
			t.note(e)
			i = j
		}
	}
	t.slots[i] = entry{}
	t.used--
}
