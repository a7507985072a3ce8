package bulwarkprometheus

import (
	"maps"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bulwark-go/bulwark/logging"
)

// nativeReset is the shortest time after which a native histogram with too many
// buckets is reset.
const nativeReset = time.Hour

// cache keeps the series of each key. client_golang takes several times as long to
// find a series by its labels as to observe a value.
type cache[K comparable, V any] struct {
	mu  sync.Mutex
	all atomic.Pointer[map[K]*V] // a change replaces it by a changed copy
}

// maxCached bounds the cost of the copies. If there are more keys, their series are
// looked up each time.
const maxCached = 2000

// get returns the series of k. If there are none yet, newSeries makes them.
func (c *cache[K, V]) get(k K, newSeries func(K) *V) *V {
	if all := c.all.Load(); all != nil {
		if v, ok := (*all)[k]; ok {
			return v
		}
	}
	return c.add(k, newSeries)
}

func (c *cache[K, V]) add(k K, newSeries func(K) *V) *V {
	v := newSeries(k)
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.all.Load()
	if before == nil {
		before = &map[K]*V{}
	}
	if other, ok := (*before)[k]; ok {
		return other
	}
	if len(*before) >= maxCached {
		return v
	}
	after := maps.Clone(*before)
	after[k] = v
	c.all.Store(&after)
	return v
}

// histogram is one series, with the time of the last exemplar of each bucket, in
// nanoseconds since 1970.
type histogram struct {
	observer prometheus.Observer
	buckets  []float64
	last     []atomic.Int64
}

func newHistogram(o prometheus.Observer, buckets []float64) histogram {
	return histogram{o, buckets, make([]atomic.Int64, len(buckets)+1)}
}

// exemplarEvery is how often a bucket gets a new exemplar. An exemplar costs ten
// times as much as an observation, and a scrape sees only the last exemplar.
const exemplarEvery = time.Second

func (h *histogram) observe(r *logging.Record) {
	seconds := r.Duration.Seconds()
	if traced(r) {
		last, now := &h.last[sort.SearchFloat64s(h.buckets, seconds)], r.Start.Add(r.Duration).UnixNano()
		before := last.Load()
		if o, ok := h.observer.(prometheus.ExemplarObserver); ok && now-before >= int64(exemplarEvery) && last.CompareAndSwap(before, now) {
			o.ObserveWithExemplar(seconds, exemplar(r))
			return
		}
	}
	h.observer.Observe(seconds)
}

// increment counts an event that is rare, so it always adds an exemplar if there is
// a trace.
func increment(c prometheus.Counter, r *logging.Record) {
	if a, ok := c.(prometheus.ExemplarAdder); ok && traced(r) {
		a.AddWithExemplar(1, exemplar(r))
		return
	}
	c.Inc()
}

// The lengths of ids in the W3C format. The application can set ids in other
// formats, and client_golang panics if an exemplar is too long.
const (
	traceIDLen = 32
	spanIDLen  = 16
)

// traced reports whether the trace of the request is recorded and has ids in the
// W3C format.
func traced(r *logging.Record) bool {
	return r.TraceSampled && len(r.TraceID) == traceIDLen && len(r.SpanID) == spanIDLen
}

func exemplar(r *logging.Record) prometheus.Labels {
	return prometheus.Labels{"trace_id": r.TraceID, "span_id": r.SpanID}
}
