//go:build unix

package bulwarkredis_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/adapters/bulwarkredis"
	"github.com/bulwark-go/bulwark/quota"
)

// pipelines is a hook of the client that answers instead of a server. It may ignore the
// context, as go-redis does without ContextTimeoutEnabled.
type pipelines func(context.Context, []redis.Cmder) error

func (pipelines) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (pipelines) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (p pipelines) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return redis.ProcessPipelineHook(p)
}

// allow answers every command of a pipeline as the script does.
func allow(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		cmd.(interface{ SetVal(any) }).SetVal([]any{int64(1), int64(0), int64(0)})
	}
	return nil
}

// fail is what go-redis does with every command if a pipeline fails.
func fail(cmds []redis.Cmder) error {
	err := errors.New("no server")
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
	return err
}

// The clock stands still here while a goroutine runs, so the time that a decision takes
// has no scheduling in it: it is exactly the time that the store waits. Whatever the
// client does, and whether or not it respects the context, that is at most Timeout.
func TestNoDecisionWaitsLongerThanTimeout(t *testing.T) {
	const timeout = 20 * time.Millisecond
	for _, tt := range []struct {
		desc    string
		client  func(ctx context.Context, end <-chan struct{}, cmds []redis.Cmder) error
		first   time.Duration // how long the first decision takes
		decides bool          // the server decides, not Fallback
	}{
		{"hangs", func(_ context.Context, end <-chan struct{}, cmds []redis.Cmder) error { <-end; return fail(cmds) }, timeout, false},
		{"ends with the context", func(ctx context.Context, _ <-chan struct{}, cmds []redis.Cmder) error {
			<-ctx.Done()
			return fail(cmds)
		}, timeout, false},
		{"gives up long after Timeout", func(_ context.Context, _ <-chan struct{}, cmds []redis.Cmder) error {
			time.Sleep(10 * timeout)
			return fail(cmds)
		}, timeout, false},
		{"replies a nanosecond late", func(_ context.Context, _ <-chan struct{}, cmds []redis.Cmder) error {
			time.Sleep(timeout + 1)
			return allow(cmds)
		}, timeout, false},
		{"fails before Timeout", func(_ context.Context, _ <-chan struct{}, cmds []redis.Cmder) error {
			time.Sleep(timeout / 4)
			return fail(cmds)
		}, timeout / 4, false},
		{"replies a nanosecond before Timeout", func(_ context.Context, _ <-chan struct{}, cmds []redis.Cmder) error {
			time.Sleep(timeout - 1)
			return allow(cmds)
		}, timeout - 1, true},
		{"needs two round trips, each shorter than Timeout", func(_ context.Context, _ <-chan struct{}, cmds []redis.Cmder) error {
			time.Sleep(timeout / 4 * 3)
			if cmds[0].Name() == "evalsha" {
				for _, cmd := range cmds {
					cmd.SetErr(redis.ErrNoScript)
				}
				return cmds[0].Err()
			}
			return allow(cmds)
		}, timeout, false},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
				defer c.Close()
				c.AddHook(pipelines(func(ctx context.Context, cmds []redis.Cmder) error { return tt.client(ctx, end, cmds) }))
				back := &fallback{Store: quota.NewMemoryStore(0)}
				store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: timeout, Fallback: back})
				take := func(key string) time.Duration {
					began := time.Now()
					_, err := store.Take(t.Context(), key, 1, quota.Rate{Requests: 1000, Per: time.Hour})
					assert.NoError(t, err)
					return time.Since(began)
				}

				require.Equal(t, tt.first, take("first"))
				require.Equal(t, tt.decides, back.asked.Load() == 0)

				// Many at once, so that they wait for pipelines that hang, too.
				var all sync.WaitGroup
				for g := range 64 {
					all.Go(func() {
						for i := range 20 {
							assert.LessOrEqual(t, take(fmt.Sprint(g, "-", i)), timeout)
							time.Sleep(time.Duration(g+i) * time.Millisecond)
						}
					})
				}
				all.Wait()
				close(end)
			})
		})
	}
}

// While the server is down, one decision a second waits for it, however many there are.
// After the first that succeeds, the server decides again.
func TestOpenBreakerTriesOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 20 * time.Millisecond
		c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
		defer c.Close()
		var asked atomic.Int64
		var up atomic.Bool
		c.AddHook(pipelines(func(ctx context.Context, cmds []redis.Cmder) error {
			asked.Add(int64(len(cmds)))
			if up.Load() {
				return allow(cmds)
			}
			<-ctx.Done()
			return fail(cmds)
		}))
		var failures atomic.Int64
		store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: timeout, OnError: func(context.Context, error) { failures.Add(1) }})
		// many takes 100 decisions at once, and returns how many of them waited.
		many := func() (waited int64) {
			before := failures.Load()
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					_, err := store.Take(t.Context(), strconv.Itoa(i), 1, quota.Rate{Requests: 1000, Per: time.Hour})
					assert.NoError(t, err)
				})
			}
			all.Wait()
			return failures.Load() - before
		}
		require.EqualValues(t, 100, many(), "these were asked for before the first failed")
		for range 5 {
			require.Zero(t, many())
			time.Sleep(time.Second)
			require.EqualValues(t, 1, many())
		}
		up.Store(true)
		time.Sleep(time.Second)
		before := asked.Load()
		require.Zero(t, many())
		require.GreaterOrEqual(t, asked.Load(), before+1)
		before = asked.Load()
		require.Zero(t, many())
		require.Equal(t, before+100, asked.Load(), "the server decides again")
	})
}

// Fallback and OnError belong to the application. They may use the store, because no
// lock is held.
func TestHooksMayTake(t *testing.T) {
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer c.Close()
	c.AddHook(pipelines(func(_ context.Context, cmds []redis.Cmder) error { return fail(cmds) }))
	var store quota.Store
	var calls atomic.Int64
	again := func(ctx context.Context) {
		if calls.Add(1) < 20 {
			_, err := store.Take(ctx, "key", 1, quota.Rate{Requests: 1000, Per: time.Hour})
			assert.NoError(t, err)
		}
	}
	store = bulwarkredis.NewStore(bulwarkredis.Config{
		Client: c, Timeout: ample, Fallback: asking(again),
		OnError: func(ctx context.Context, _ error) { again(ctx) },
	})
	again(t.Context())
	require.GreaterOrEqual(t, calls.Load(), int64(20))
}

// asking is a Store that calls a function and allows everything.
type asking func(context.Context)

func (a asking) Take(ctx context.Context, _ string, _ int, _ quota.Rate) (quota.Result, error) {
	a(ctx)
	return quota.Result{Allowed: true}, nil
}
