package limits

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"golang.org/x/sync/semaphore"
)

// permits bounds the requests in flight. The semaphores serve waiters first in,
// first out, and drop a waiter when its context ends.
//
// With Critical, every request takes a permit from the semaphore all. An ordinary
// request first takes one from the semaphore ordinary, so ordinary requests never
// hold the reserved permits. A critical request waits only for all, and gets the
// next permit that any request releases. An ordinary request that has its first
// permit waits in the same queue, so critical requests cannot starve it.
type permits struct {
	all      *semaphore.Weighted
	ordinary *semaphore.Weighted // MaxInFlight minus the reserve; nil without Critical
	queues   [2]queue            // by kind, so that one kind cannot fill the queue of the other
	running  atomic.Int64        // only in Shadow, in which no request waits
}

func newPermits(c Config) *permits {
	if c.MaxInFlight == 0 {
		return nil
	}
	s := &permits{all: semaphore.NewWeighted(int64(c.MaxInFlight))}
	if c.Critical != nil {
		s.ordinary = semaphore.NewWeighted(int64(c.MaxInFlight - c.reserve()))
	}
	return s
}

// reserve returns how many permits only critical requests may take.
func (c *Config) reserve() int { return max(1, c.MaxInFlight/10) }

// permit is released once: when the handler ends or hijacks the connection,
// whichever is first.
type permit struct {
	of     *permits
	kind   kind
	shadow bool
	back   atomic.Bool
}

// kind is the kind of a request, an index of queues.
type kind int

const (
	ordinary kind = iota
	critical
)

func (c *Config) kind(r *http.Request) kind {
	if c.Critical != nil && c.Critical(r) {
		return critical
	}
	return ordinary
}

func (p *permit) release() {
	switch {
	case p.back.Swap(true):
	case p.shadow:
		p.of.running.Add(-1)
	default:
		p.of.release(p.kind)
	}
}

func (s *permits) release(k kind) {
	s.all.Release(1)
	if k == ordinary && s.ordinary != nil {
		s.ordinary.Release(1)
	}
}

// tryTake takes a permit if one is free and no request is waiting for it.
func (s *permits) tryTake(k kind) bool {
	if k == critical || s.ordinary == nil {
		return s.all.TryAcquire(1)
	}
	if !s.ordinary.TryAcquire(1) {
		return false
	}
	if !s.all.TryAcquire(1) {
		s.ordinary.Release(1)
		return false
	}
	return true
}

// take waits for a permit until ctx ends.
func (s *permits) take(ctx context.Context, k kind) error {
	if k == critical || s.ordinary == nil {
		return s.all.Acquire(ctx, 1)
	}
	if err := s.ordinary.Acquire(ctx, 1); err != nil {
		return err
	}
	if err := s.all.Acquire(ctx, 1); err != nil {
		s.ordinary.Release(1)
		return err
	}
	return nil
}

// acquire returns a permit, after waiting for it if necessary. Without a permit,
// err says why the request is refused. If both are nil, the deadline has already
// answered the request.
func (s *permits) acquire(x *exchange.Exchange, r *http.Request, c *Config) (*permit, error) {
	if c.Shadow {
		if n := s.running.Add(1); n-int64(c.MaxInFlight) > int64(c.MaxQueue) {
			x.Notes.Warn(s.full(c, n-1, 0))
		}
		return &permit{of: s, shadow: true}, nil
	}
	k := c.kind(r)
	if s.tryTake(k) {
		return &permit{of: s, kind: k}, nil
	}
	// join checks for room and joins in one step. Otherwise a burst could overfill
	// the queue.
	q := &s.queues[k]
	t, n, ok := q.join(c)
	if !ok {
		return nil, s.full(c, int64(c.MaxInFlight)+int64(n), q.drain())
	}
	return s.wait(x, r, c, k, t)
}

// minRemaining is the time that must be left until the deadline when a request gets
// its permit. A refusal is sent this long before the deadline, so the deadline does
// not answer first.
const minRemaining = 10 * time.Millisecond

func (s *permits) wait(x *exchange.Exchange, r *http.Request, c *Config, k kind, t ticket) (*permit, error) {
	q, limit, what := &s.queues[k], t.limit, "no permit within MaxWait"
	if t.target {
		what = overTarget
	}
	if at, ok := r.Context().Deadline(); ok {
		if left := time.Until(at) - minRemaining; left < limit {
			limit, what = left, "no permit before the request's deadline"
		}
	}
	if limit <= 0 {
		q.leave()
		return nil, s.refusal(c, -1, what, q.drain())
	}
	defer func() { x.Notes.Queued(time.Since(t.joined)) }()
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	x.SetQueued(true)
	defer x.SetQueued(false)
	if s.take(ctx, k) == nil {
		if !q.serve(t, c) {
			return &permit{of: s, kind: k}, nil
		}
		s.release(k)
		return nil, s.refusal(c, -1, overTarget, q.drain())
	}
	q.leave()
	switch {
	case x.ClientGone(): // the client may have closed only its sending side, and still read the refusal
		x.Notes.AddCause(exchange.ErrClientGone)
	case x.Expired():
		return nil, nil //nolint:nilnil // the deadline has answered
	}
	return nil, s.refusal(c, -1, what, q.drain())
}

const overTarget = "no permit within QueueTarget of a standing queue"

func (s *permits) full(c *Config, got int64, drain time.Duration) *Error {
	return s.refusal(c, got, "too many requests in flight", drain)
}

func (s *permits) refusal(c *Config, got int64, what string, drain time.Duration) *Error {
	return &Error{
		Reason: ReasonInFlight, Limit: int64(c.MaxInFlight), Got: got, what: what,
		status: http.StatusServiceUnavailable, retryAfter: c.retryAfter(drain),
	}
}

// maxBackoff bounds the estimated time to drain the queue, in multiples of
// RetryAfter. Otherwise a few stuck handlers could send clients away for hours.
const maxBackoff = 10

// retryAfter returns when to retry, given how long the queue takes to drain. The
// random value is in whole seconds, as in the header: if a value between 1 s and 2 s
// were rounded up, every client would get 2.
func (c *Config) retryAfter(drain time.Duration) time.Duration {
	from := max(c.RetryAfter, min(drain, saturated(maxBackoff*float64(c.RetryAfter))))
	least := seconds(from)
	return time.Duration(least+rand.Int64N(seconds(saturated(2*float64(from)))-least+1)) * time.Second
}

// seconds returns d in whole seconds, rounded up unless the result would overflow a
// Duration.
func seconds(d time.Duration) int64 {
	n := int64(d / time.Second)
	if d%time.Second > 0 && n < math.MaxInt64/int64(time.Second) {
		n++
	}
	return n
}
