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
	Share    float64       // the share of a request's remaining time that Redis may take
	TTL      time.Duration // how long an entry is kept
	OnLookup func(result string)
}

// The results passed to Config.OnLookup.
const (
	Hit    = "hit"
	Miss   = "miss"
	Failed = "failed" // also if Redis was not asked, because it failed shortly before
)

// Redis is a cache. If it is slow, down or empty, the request uses the store.
type Redis struct {
	Config
	client  *redis.Client
	breaker circuitbreaker.CircuitBreaker[any]
}

// NewRedis does not connect, so the service can start while Redis is down. Its
// errors do not contain the URL.
func NewRedis(cfg Config) (*Redis, error) {
	options, err := redis.ParseURL(cfg.URL)
	if err != nil {
		return nil, errors.New("cache: cache.url is not a URL of Redis")
	}
	// The context bounds a command, and a failed command is not retried.
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1
	options.DialTimeout = time.Second
	options.DialerRetries = 1
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	redis.SetLogger(logger{})
	return &Redis{
		Config: cfg,
		client: redis.NewClient(options),
		// If Redis hangs, every request would lose its share of the time without
		// the breaker.
		breaker: circuitbreaker.NewBuilder[any]().WithFailureThreshold(5).WithSuccessThreshold(1).WithDelay(time.Second).Build(),
	}, nil
}

// Client returns the connection, for callers with their own timeouts.
func (r *Redis) Client() *redis.Client { return r.client }

// Close closes the connections.
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
			if json.Unmarshal(entry, &u) != nil || u.ID != id { // not written by this service
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

// command runs for at most the budget, and not at all while the breaker is open.
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
