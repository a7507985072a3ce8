package limits

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"golang.org/x/sync/semaphore"
)

// permits bounds the requests in flight. The semaphore hands its permits out
// first in, first out, and takes them back from those whose context ended.
type permits struct {
	free    *semaphore.Weighted
	waiting atomic.Int64
	running atomic.Int64 // in the shadow, where nobody waits
}

func newPermits(c Config) *permits {
	if c.MaxInFlight == 0 {
		return nil
	}
	return &permits{free: semaphore.NewWeighted(int64(c.MaxInFlight))}
}

// permit is given back once, whoever is first: the end of the handler, or the
// hijack that makes the connection the application's to count.
type permit struct {
	of     *permits
	shadow bool
	back   atomic.Bool
}

func (p *permit) release() {
	switch {
	case p.back.Swap(true):
	case p.shadow:
		p.of.running.Add(-1)
	default:
		p.of.free.Release(1)
	}
}

// acquire waits for a permit. Without one the request is over: err says why it
// is refused, nil that there is nobody left to be told.
func (s *permits) acquire(x *exchange.Exchange, r *http.Request, c *Config) (*permit, error) {
	if c.Shadow {
		if n := s.running.Add(1); n > int64(c.MaxInFlight)+int64(c.MaxQueue) {
			x.Remark(s.refusal(c, n-1, "too many requests in flight"))
		}
		return &permit{of: s, shadow: true}, nil
	}
	if s.free.TryAcquire(1) {
		return &permit{of: s}, nil
	}
	// Counting first and looking then lets no burst through between the two.
	if n := s.waiting.Add(1); n > int64(c.MaxQueue) {
		s.waiting.Add(-1)
		return nil, s.refusal(c, int64(c.MaxInFlight)+n-1, "too many requests in flight")
	}
	defer s.waiting.Add(-1)
	return s.wait(x, r, c)
}

// toSpare is what must be left of a request's deadline for it to be worth
// serving, and for the refusal to be the first to answer.
const toSpare = 10 * time.Millisecond

func (s *permits) wait(x *exchange.Exchange, r *http.Request, c *Config) (*permit, error) {
	limit, what := c.MaxWait, "no turn within MaxWait"
	if at, ok := r.Context().Deadline(); ok {
		if left := time.Until(at) - toSpare; left < limit {
			limit, what = left, "no turn before the request's deadline"
		}
	}
	if limit <= 0 {
		return nil, s.refusal(c, -1, what)
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	if s.free.Acquire(ctx, 1) == nil {
		return &permit{of: s}, nil
	}
	switch {
	case x.ClientGone():
		x.Note(exchange.ErrClientGone)
		return nil, nil //nolint:nilnil // see acquire
	case x.Expired():
		return nil, nil //nolint:nilnil // the deadline has answered
	}
	return nil, s.refusal(c, -1, what)
}

func (s *permits) refusal(c *Config, got int64, what string) *Error {
	return &Error{
		Reason: ReasonInFlight, Limit: int64(c.MaxInFlight), Got: got, what: what,
		status: http.StatusServiceUnavailable, retryAfter: c.RetryAfter + rand.N(c.RetryAfter+1),
	}
}
