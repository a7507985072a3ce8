// Package cache stands between the handlers and the store: it asks Redis first
// and lets one query answer all who ask for the same user at the same time.
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

// Source is where the users really are.
type Source interface {
	User(ctx context.Context, id int64) (domain.User, error)
}

// Users looks users up. It is safe for concurrent use.
type Users struct {
	source  Source
	redis   *Redis
	flights singleflight.Group
}

// New returns Users over source. redis may be nil: then there is no cache, and
// still only one query at a time for one user.
func New(source Source, redis *Redis) *Users { return &Users{source: source, redis: redis} }

// User is the user with that id, or the error of the source. A caller waits no
// longer than its context lives, and how that ends is nothing to the others who
// wait for the same user: a query is not cancelled because the caller who
// happened to begin it has left, only at that caller's deadline, and then the
// others ask again.
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

// load runs on a goroutine of its own, where a panic that nobody recovers would
// end the process.
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
