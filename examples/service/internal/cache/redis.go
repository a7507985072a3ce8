package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
	"github.com/bulwark-go/bulwark/timeout"
)

// Config configures NewRedis. Every field but OnLookup is required.
type Config struct {
	URL      string        // redis://… or rediss://…
	Share    float64       // of the time that a request has left, for all that it asks Redis
	TTL      time.Duration // of an entry
	OnLookup func(result string)
}

// The results that Config.OnLookup is told of.
const (
	Hit    = "hit"
	Miss   = "miss"
	Failed = "failed" // or passed over, because it failed just before
)

// Redis is a cache that may be slow, dead or lost at any time: a request then
// takes what it needs from the store.
type Redis struct {
	Config
	client  *redis.Client
	breaker circuitbreaker.CircuitBreaker[any]
}

// NewRedis does not connect: a service that starts while its cache is down
// starts. No error shows the URL.
func NewRedis(cfg Config) (*Redis, error) {
	options, err := redis.ParseURL(cfg.URL)
	if err != nil {
		return nil, errors.New("cache: cache.url is not a URL of Redis")
	}
	// The context is what bounds a command, and a failed one is not worth a
	// second attempt.
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1
	options.DialTimeout = time.Second
	options.DialerRetries = 1
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	redis.SetLogger(logger{})
	return &Redis{
		Config: cfg,
		client: redis.NewClient(options),
		// Where Redis hangs, every request would wait for its share.
		breaker: circuitbreaker.NewBuilder[any]().WithFailureThreshold(5).WithSuccessThreshold(1).WithDelay(time.Second).Build(),
	}, nil
}

// Close ends the connections.
func (r *Redis) Close() { _ = r.client.Close() }

// budget is how long each of the two commands of a lookup may take.
func (r *Redis) budget(ctx context.Context) time.Duration {
	left, ok := timeout.Remaining(ctx)
	if !ok {
		left = time.Second
	}
	return time.Duration(r.Share * float64(left) / 2)
}

func (r *Redis) get(ctx context.Context, budget time.Duration, id int64) (u domain.User, ok bool) {
	result := Failed
	defer func() {
		if r.OnLookup != nil {
			r.OnLookup(result)
		}
	}()
	err := r.command(ctx, budget, func(ctx context.Context) error {
		entry, err := r.client.Get(ctx, key(id)).Bytes()
		if errors.Is(err, redis.Nil) {
			result = Miss
			return nil
		}
		if err == nil {
			result = Hit
			if json.Unmarshal(entry, &u) != nil || u.ID != id { // not of our making
				result = Miss
			}
		}
		return err
	})
	return u, err == nil && result == Hit
}

func (r *Redis) set(ctx context.Context, budget time.Duration, u domain.User) {
	entry, err := json.Marshal(u)
	if err != nil {
		return
	}
	_ = r.command(ctx, budget, func(ctx context.Context) error {
		return r.client.Set(ctx, key(u.ID), entry, r.TTL).Err()
	})
}

// command spends no more than the budget, and nothing while the breaker is open.
func (r *Redis) command(ctx context.Context, budget time.Duration, do func(context.Context) error) error {
	if !r.breaker.TryAcquirePermit() {
		return circuitbreaker.ErrOpen
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	err := do(ctx)
	if err != nil {
		r.breaker.RecordFailure()
		return err
	}
	r.breaker.RecordSuccess()
	return nil
}

func key(id int64) string { return "user:" + strconv.FormatInt(id, 10) }

// logger keeps go-redis from writing to standard error.
type logger struct{}

func (logger) Printf(ctx context.Context, format string, v ...any) {
	slog.WarnContext(ctx, "redis", slog.String("error", fmt.Sprintf(format, v...)))
}
