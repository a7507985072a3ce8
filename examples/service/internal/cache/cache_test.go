//go:build unix

package cache_test

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/examples/service/internal/cache"
	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
	"github.com/bulwark-go/bulwark/examples/service/internal/servers"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // go-redis logs the failures that the tests make
	goleak.VerifyTestMain(servers.Main{M: m})
}

// ample is more time than anything needs.
const ample = time.Minute

// source is a store that counts its calls in n.
type source struct {
	n   atomic.Int64
	ask func(context.Context) error
}

func (s *source) User(ctx context.Context, id int64) (domain.User, error) {
	s.n.Add(1)
	if s.ask != nil {
		if err := s.ask(ctx); err != nil {
			return domain.User{}, err
		}
	}
	return domain.User{ID: id, Name: "Ada"}, nil
}

// slow takes that long, or until the context ends.
func slow(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestStampede: one query answers all callers that ask while it runs.
func TestStampede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{ask: slow(time.Second)}
		users := cache.New(src, nil)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				u, err := users.User(t.Context(), 7)
				assert.NoError(t, err)
				assert.Equal(t, int64(7), u.ID)
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, src.n.Load())
		_, err := users.User(t.Context(), 7)
		require.NoError(t, err)
		assert.EqualValues(t, 2, src.n.Load(), "nothing is kept")
	})
}

// TestCallerLeaves: if a caller gives up or has no time left, even the one for whom the
// query was begun, the others get their answer.
func TestCallerLeaves(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		leave   func(context.Context) (context.Context, context.CancelFunc)
		want    error
		queries int64
	}{
		{"canceled", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(500*time.Millisecond, cancel)
			return ctx, cancel
		}, context.Canceled, 1},
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 500*time.Millisecond)
		}, context.DeadlineExceeded, 2},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &source{ask: slow(time.Second)}
				users := cache.New(src, nil)
				var all sync.WaitGroup
				all.Go(func() {
					ctx, cancel := tc.leave(t.Context())
					defer cancel()
					_, err := users.User(ctx, 7)
					assert.ErrorIs(t, err, tc.want)
				})
				synctest.Wait()
				for range 10 {
					all.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
						defer cancel()
						_, err := users.User(ctx, 7)
						assert.NoError(t, err)
					})
				}
				all.Wait()
				assert.Equal(t, tc.queries, src.n.Load())
			})
		})
	}
}

// TestDeadline: the query ends with the caller it was begun for, if no other caller
// waits.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		src := &source{ask: func(ctx context.Context) error {
			err := slow(time.Hour)(ctx)
			ended <- err
			return err
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := cache.New(src, nil).User(ctx, 7)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, <-ended, context.DeadlineExceeded)
		assert.EqualValues(t, 1, src.n.Load())
	})
}

func TestSourceFails(t *testing.T) {
	for _, tc := range []struct {
		desc string
		ask  func(context.Context) error
		want string
	}{
		{"error", func(context.Context) error { return domain.ErrNotFound }, "no such user"},
		{"panic", func(context.Context) error { panic("driver") }, "panic: driver"},
		{"a deadline of its own", func(context.Context) error { return context.DeadlineExceeded }, "deadline exceeded"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			src := &source{ask: tc.ask}
			_, err := cache.New(src, nil).User(t.Context(), 7)
			require.ErrorContains(t, err, tc.want)
			assert.EqualValues(t, 1, src.n.Load())
		})
	}
}

// results counts the results of lookups.
type results struct {
	mu sync.Mutex
	n  map[string]int
}

func (r *results) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == nil {
		r.n = map[string]int{}
	}
	r.n[s]++
}

func (r *results) take() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.n
	r.n = nil
	return n
}

func connect(t *testing.T, url string, share float64) (*cache.Redis, *results) {
	t.Helper()
	var r results
	c, err := cache.NewRedis(cache.Config{URL: url, Share: share, TTL: time.Minute, OnLookup: r.add})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, &r
}

func TestRedis(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	c, results := connect(t, servers.Cache(t, 14), 0.5)
	src := &source{}
	for range 3 {
		u, err := cache.New(src, c).User(ctx, 7)
		require.NoError(t, err)
		assert.Equal(t, domain.User{ID: 7, Name: "Ada"}, u)
	}
	assert.EqualValues(t, 1, src.n.Load())
	assert.Equal(t, map[string]int{cache.Miss: 1, cache.Hit: 2}, results.take())

	failing := &source{ask: func(context.Context) error { return domain.ErrNotFound }}
	for range 2 { // a missing user is not cached
		_, err := cache.New(failing, c).User(ctx, 8)
		require.ErrorIs(t, err, domain.ErrNotFound)
	}
	assert.EqualValues(t, 2, failing.n.Load())
}

// TestRedisDead: callers do not notice a cache that is killed and started again empty.
func TestRedisDead(t *testing.T) {
	server := servers.Redis(t)
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	c, results := connect(t, server.URL, 0.5)
	users := cache.New(&source{}, c)
	ask := func() map[string]int {
		_, err := users.User(ctx, 70)
		assert.NoError(t, err)
		return results.take()
	}
	assert.NotContains(t, ask(), cache.Failed)
	server.Kill()
	for range 10 {
		assert.Equal(t, map[string]int{cache.Failed: 1}, ask())
	}
	require.NoError(t, server.Start())
	require.Eventually(t, func() bool { return ask()[cache.Hit] == 1 }, ample, 50*time.Millisecond)
}

// TestRedisHangs: a cache that accepts and never answers costs its share of the time, and
// after a few requests nothing.
func TestRedisHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, results := connect(t, "redis://"+l.Addr().String(), 0.02)
	src := &source{ask: func(ctx context.Context) error { return ctx.Err() }}
	users := cache.New(src, c)
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := users.User(ctx, 7)
		cancel()
		require.NoError(t, err)
	}
	assert.EqualValues(t, 20, src.n.Load())
	assert.Equal(t, map[string]int{cache.Failed: 20}, results.take())
}

func TestNewRedis(t *testing.T) {
	_, err := cache.NewRedis(cache.Config{URL: "redis://:hunter2@[::"})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}
