package bulwarkotel

import (
	"maps"
	"sync"
	"sync/atomic"
)

// cache keeps a value for each key.
type cache[K comparable, V any] struct {
	mu    sync.Mutex
	all   atomic.Pointer[map[K]*V] // a change replaces it by a changed copy
	near  [places]atomic.Pointer[entry[K, V]]
	keeps bool // keep all values, because there are few keys
}

// places is the number of places. The place of a key is a number that takes little
// time to compute and that few other keys have. Each place has the first key that
// was looked up there. To compare that key takes a fraction of the time to hash its
// strings for the map.
const places = 256

type entry[K comparable, V any] struct {
	key   K
	value *V
}

// maxCached bounds the cost of the copies. If there are more keys, their values are
// made again each time.
const maxCached = 2000

// each calls f with each value.
func (c *cache[K, V]) each(f func(*V)) {
	if all := c.all.Load(); all != nil {
		for _, v := range *all {
			f(v)
		}
	}
}

// get returns the value of k, whose place is given. If there is none yet, newValue
// makes it. k is a pointer because to copy a key takes longer than to compare it.
func (c *cache[K, V]) get(k *K, place uint8, newValue func(K) *V) *V {
	near := &c.near[place]
	if e := near.Load(); e != nil && e.key == *k {
		return e.value
	}
	if all := c.all.Load(); all != nil {
		if v, ok := (*all)[*k]; ok {
			if near.Load() == nil {
				near.Store(&entry[K, V]{*k, v})
			}
			return v
		}
	}
	return c.add(*k, newValue)
}

func (c *cache[K, V]) add(k K, newValue func(K) *V) *V {
	v := newValue(k)
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.all.Load()
	if before == nil {
		before = &map[K]*V{}
	}
	if other, ok := (*before)[k]; ok {
		return other
	}
	if len(*before) >= maxCached && !c.keeps {
		return v
	}
	after := maps.Clone(*before)
	after[k] = v
	c.all.Store(&after)
	return v
}

// ends returns a number that depends on the length and the last byte of s.
func ends(s string) uint8 {
	if s == "" {
		return 0
	}
	return uint8(len(s))*31 + s[len(s)-1]
}
