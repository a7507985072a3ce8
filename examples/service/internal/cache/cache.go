// Package cache looks users up in Redis before the store, and makes only one
// query for concurrent lookups of the same user.
package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"

	"golang.org/x/sync/singleflight"

	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
)

// Source is the store behind the cache.
type Source interface {
	User(ctx context.Context, id int64) (domain.User, error)
}

// Users looks users up. It is safe for concurrent use.
type Users struct {
	source  Source
	redis   *Redis
	flights singleflight.Group
}

// New returns Users over source. If redis is nil there is no cache, but New still
// makes only one query at a time for each user.
func New(source Source, redis *Redis) *Users { return &Users{source: source, redis: redis} }

// User returns the user with that id, or the error of the source. A caller waits
// until its context ends. Other callers that wait for the same user are not
// affected. The query is canceled only at the deadline of the caller that started
// it; the other callers then query again.
func (u *Users) User(ctx context.Context, id int64) (domain.User, error) {
	for {
		begun := false
		flight := u.flights.DoChan(strconv.FormatInt(id, 10), func() (any, error) {
			begun = true
			return u.load(ctx, id)
		})
		select {
		case <-ctx.Done():
			return domain.User{}, ctx.Err()
		case result := <-flight:
			if result.Err == nil {
				return result.Val.(domain.User), nil //nolint:forcetypeassert // it is load's
			}
			if begun || ctx.Err() != nil || !errors.Is(result.Err, context.DeadlineExceeded) {
				return domain.User{}, result.Err
			}
		}
	}
}

// load runs on its own goroutine, so it recovers panics: a panic there would end
// the process.
func (u *Users) load(caller context.Context, id int64) (user domain.User, err error) {
	ctx := context.WithoutCancel(caller)
	if deadline, ok := caller.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("cache: panic: %v\n%s", v, debug.Stack())
		}
	}()
	if u.redis == nil {
		return u.source.User(ctx, id)
	}
	budget := u.redis.budget(ctx)
	if user, ok := u.redis.get(ctx, budget, id); ok {
		return user, nil
	}
	user, err = u.source.User(ctx, id)
	if err == nil {
		u.redis.set(ctx, budget, user)
	}
	return user, err
}
