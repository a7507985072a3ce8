package bulwarkredis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/redis/go-redis/v9"

	"github.com/bulwark-go/bulwark/quota"
)

// NewStore returns a Store in Redis or Valkey. It does not connect to the server
// yet. It panics if cfg is wrong, and names every bad field.
func NewStore(cfg Config) quota.Store {
	if err := cfg.validate(); err != nil {
		panic("bulwarkredis: " + err.Error())
	}
	cfg = cfg.withDefaults()
	return &store{
		Config:  cfg,
		batches: newBatches(cfg.Client, cfg.Timeout),
		refused: newRefusals(),
		breaker: circuitbreaker.NewBuilder[any]().
			WithFailureThresholdRatio(breakerFailures, breakerDecisions).
			WithDelay(breakerDelay).
			WithSuccessThreshold(1).
			Build(),
	}
}

// The circuit breaker opens if breakerFailures of the last breakerDecisions
// decisions failed. After breakerDelay it sends one decision to the server. If that
// succeeds, the breaker closes.
const (
	breakerFailures  = 5
	breakerDecisions = 10
	breakerDelay     = time.Second
)

type store struct {
	Config
	batches *batches
	refused *refusals
	breaker circuitbreaker.CircuitBreaker[any]
}

var errTimeout = errors.New("bulwarkredis: no reply within Timeout")

// Take implements [quota.Store]. It returns an error only if Fallback does or the
// rate is invalid. It waits for up to Timeout even if ctx ends earlier, because
// otherwise the circuit breaker would not learn whether the server responds.
func (s *store) Take(ctx context.Context, key string, cost int, r quota.Rate) (quota.Result, error) {
	if r.Requests <= 0 || r.Per <= 0 || r.Burst < 0 {
		return quota.Result{}, fmt.Errorf("bulwarkredis: invalid rate %+v", r)
	}
	if r.Burst == 0 {
		r.Burst = r.Requests
	}
	if res, ok := s.refused.get(key, cost, r); ok {
		return res, nil
	}
	if !s.breaker.TryAcquirePermit() {
		return s.Fallback.Take(ctx, key, cost, r)
	}
	a, err := s.ask(key, cost, r)
	if err != nil {
		s.record(err)
		if s.OnError != nil {
			s.OnError(ctx, err)
		}
		if cost < 0 { // the server may have given back the cost, and Fallback would give it back again
			return quota.Result{}, err
		}
		return s.Fallback.Take(ctx, key, cost, r)
	}
	s.breaker.RecordSuccess()
	res := a.result(cost, r)
	switch {
	case cost < 0:
		s.refused.forget(key)
	case !res.Allowed:
		s.refused.add(key, cost, r, res)
	}
	return res, nil
}

// record tells the circuit breaker about an error. A value that another program has
// written is an error of one key only: the server responds, and decides about all
// other keys.
func (s *store) record(err error) {
	if errors.Is(err, errValue) || redis.HasErrorPrefix(err, "WRONGTYPE") {
		s.breaker.RecordSuccess()
		return
	}
	s.breaker.RecordFailure()
}

// ask waits for the server's decision.
func (s *store) ask(key string, cost int, r quota.Rate) (answer, error) {
	o := &order{key: s.Prefix + key, args: arguments(cost, r), back: cost < 0, done: make(chan struct{})}
	timer := time.NewTimer(s.Timeout)
	defer timer.Stop()
	s.batches.add(o)
	select {
	case <-o.done:
		return o.answer, o.err
	case <-timer.C:
	}
	o.abandoned.Store(true)
	select {
	case <-o.done: // the reply came just in time
		return o.answer, o.err
	default:
		return answer{}, errTimeout
	}
}

// divided is the default Fallback: each of n processes gets an equal part of the rate.
type divided struct {
	quota.Store
	n int
}

func (d divided) Take(ctx context.Context, key string, cost int, r quota.Rate) (quota.Result, error) {
	if r.Burst == 0 {
		r.Burst = r.Requests
	}
	part := max(r.Burst/d.n, 1)
	if cost <= r.Burst { // the server would allow this request, so it must be possible here
		part = max(part, cost)
	}
	r.Burst = part
	if per := r.Per * time.Duration(d.n); per/time.Duration(d.n) == r.Per {
		r.Per = per
	}
	return d.Store.Take(ctx, key, cost, r)
}
