package limits

import (
	"math"
	"sync"
	"time"
)

// queue decides how long each waiter may wait for a permit. The semaphore keeps the
// waiters in order.
//
// A first-in, first-out queue with a fixed limit fails under overload: it fills
// until every waiter waits for almost the whole limit, and then serves only clients
// that are about to give up. Controlled delay ("Fail at Scale", ACM Queue 13(8),
// 2015, after CoDel, RFC 8289) distinguishes two kinds of queues. One absorbs a
// burst and is empty again within an interval. The other is standing and only adds
// latency. The interval is MaxWait.
type queue struct {
	mu       sync.Mutex
	waiting  int
	since    time.Time     // when the queue last became non-empty
	interval time.Duration // the queue is standing if it has not been empty for this long after since
	gaveUp   time.Time     // when a standing queue became empty by refusing its last waiter
	served   time.Time     // when a waiter last got a permit; earlier than since if none has got one since then
	gap      time.Duration // average time between two permits
}

// ticket is the state of one waiter.
type ticket struct {
	joined time.Time
	limit  time.Duration // how long it may wait
	target bool          // limit is QueueTarget
}

// join adds a waiter unless the queue is full, and returns how many are in it.
func (q *queue) join(c *Config) (t ticket, n int, ok bool) {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting >= c.MaxQueue {
		return t, q.waiting, false
	}
	if q.waiting == 0 {
		q.begin(now, c)
	}
	q.waiting++
	t = ticket{joined: now, limit: c.MaxWait}
	if q.standing(now) {
		t.limit, t.target = c.QueueTarget, true
	}
	return t, q.waiting, true
}

// begin is called when the first waiter joins. A standing queue has not drained if
// it became empty only because all its waiters were refused at once, for example
// after the process got no CPU for a while. If a waiter joins within QueueTarget
// after that, the queue is standing again after QueueTarget instead of MaxWait.
func (q *queue) begin(now time.Time, c *Config) {
	q.since, q.interval = now, c.MaxWait
	if !q.gaveUp.IsZero() && now.Sub(q.gaveUp) < c.QueueTarget {
		q.interval = c.QueueTarget
	}
	q.gaveUp = time.Time{}
}

// standing reports whether the queue has not been empty for an interval.
func (q *queue) standing(now time.Time) bool {
	return q.waiting > 0 && now.Sub(q.since) >= q.interval
}

// leave removes a waiter that got no permit.
func (q *queue) leave() {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	standing := q.standing(now)
	if q.waiting--; q.waiting == 0 && standing {
		q.gaveUp = now
	}
}

// serve removes a waiter that got a permit. It reports whether the waiter is stale:
// it joined before the queue was standing, and has waited for longer than
// QueueTarget. The permit of a stale waiter goes to the next one. Otherwise all
// waiters that joined during the first interval would be served late.
func (q *queue) serve(t ticket, c *Config) (stale bool) {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	stale = !t.target && q.standing(now) && now.Sub(t.joined) > c.QueueTarget
	q.waiting--
	if stale {
		return true
	}
	const weight = 8 // the average follows a change within about 8 permits
	if gap := now.Sub(q.begun()); q.gap == 0 {
		q.gap = gap
	} else {
		q.gap += (gap - q.gap) / weight
	}
	q.served = now
	return false
}

// begun returns when the time until the next permit began to count.
func (q *queue) begun() time.Time {
	if q.served.After(q.since) {
		return q.served
	}
	return q.since
}

// drain estimates how long it takes until all waiters and one more request are
// served. It is 0 if the queue is empty.
func (q *queue) drain() time.Duration {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting == 0 {
		return 0
	}
	// While handlers are stuck no permits are released. Then the time since the last
	// one is the best estimate.
	gap := max(q.gap, now.Sub(q.begun()))
	return saturated(float64(gap) * float64(q.waiting+1))
}

// saturated returns f as a Duration, or the longest Duration if f is more.
func saturated(f float64) time.Duration {
	if f >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(f)
}
