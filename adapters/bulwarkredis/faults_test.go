//go:build unix

package bulwarkredis_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/adapters/bulwarkredis"
	"github.com/bulwark-go/bulwark/adapters/bulwarkredis/internal/redistest"
	"github.com/bulwark-go/bulwark/quota"
)

// fallback is a Store in memory that counts what it allows.
type fallback struct {
	quota.Store
	allowed, asked atomic.Int64
}

func (f *fallback) Take(ctx context.Context, key string, cost int, r quota.Rate) (quota.Result, error) {
	f.asked.Add(1)
	res, err := f.Store.Take(ctx, key, cost, r)
	if res.Allowed && key == "key" {
		f.allowed.Add(1)
	}
	return res, err
}

// Whatever happens to the server under load: no decision waits for longer than
// Timeout, none fails, what is allowed stays within the rate and what the
// fallback adds, and the server is asked again when it is back.
//
// How long a decision takes is Timeout, which is ours, and the time for which a busy
// machine does not run its goroutine, which is not and has no bound. That the first is
// exact TestNoDecisionWaitsLongerThanTimeout proves without the second. Here the
// client waits for a minute, for a connection as well as for a reply, so a decision
// that waited for the client would take much longer than late.
func TestServerFailsUnderLoad(t *testing.T) {
	t.Parallel()
	const (
		timeout = 300 * time.Millisecond
		clients = 16
		late    = 20 * time.Second // no machine is that busy
	)
	r := quota.Rate{Requests: 50, Per: time.Second}
	for _, tt := range []struct {
		desc      string
		contexts  bool // of the client's options: ContextTimeoutEnabled
		fail      func(*redistest.Server, *redis.Client) error
		mend      func(*redistest.Server) error
		forgets   int // how often the server loses what it knew
		fallsBack bool
	}{
		{"killed and restarted", true, func(s *redistest.Server, _ *redis.Client) error { s.Kill(); return nil }, (*redistest.Server).Start, 1, true},
		{"stopped and resumed", true, func(s *redistest.Server, _ *redis.Client) error { s.Pause(); return nil }, func(s *redistest.Server) error { s.Resume(); return nil }, 0, true},
		{"stopped and resumed, and the client waits for long", false, func(s *redistest.Server, _ *redis.Client) error { s.Pause(); return nil }, func(s *redistest.Server) error { s.Resume(); return nil }, 0, true},
		{"flushed", true, func(_ *redistest.Server, c *redis.Client) error { return c.FlushAll(context.Background()).Err() }, func(*redistest.Server) error { return nil }, 1, false},
		{"scripts flushed", true, func(_ *redistest.Server, c *redis.Client) error { return c.ScriptFlush(context.Background()).Err() }, func(*redistest.Server) error { return nil }, 0, false},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			s := redistest.Start(t)
			c := s.Client(t, func(o *redis.Options) {
				o.ContextTimeoutEnabled = tt.contexts
				o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = time.Minute, time.Minute, time.Minute, time.Minute
			})
			back := &fallback{Store: quota.NewMemoryStore(0)}
			store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: timeout, Fallback: back})

			var allowed, decided atomic.Int64
			var mu sync.Mutex
			var slowest time.Duration
			stop := make(chan struct{})
			var all sync.WaitGroup
			began := time.Now()
			take := func(key string) quota.Result {
				asked := time.Now()
				res, err := store.Take(t.Context(), key, 1, r)
				took := time.Since(asked)
				mu.Lock()
				slowest = max(slowest, took)
				mu.Unlock()
				assert.NoError(t, err)
				return res
			}
			for n := range clients {
				all.Go(func() {
					for i := 0; ; i++ {
						if take("key").Allowed {
							allowed.Add(1)
						}
						take(fmt.Sprintf("other-%d-%d", n, i)) // which the server has to be asked about
						decided.Add(1)
						select {
						case <-time.After(10 * time.Millisecond):
						case <-stop:
							return
						}
					}
				})
			}
			reach := func(n int64) {
				from := decided.Load()
				require.Eventually(t, func() bool { return decided.Load() >= from+n }, 30*time.Second, 5*time.Millisecond)
			}
			reach(200)
			require.NoError(t, tt.fail(s, c))
			asked := back.asked.Load()
			if tt.fallsBack {
				require.Eventually(t, func() bool { return back.asked.Load() >= asked+100 }, 30*time.Second, 5*time.Millisecond)
			} else {
				reach(200)
			}
			require.NoError(t, tt.mend(s))
			require.Eventually(t, func() bool { // the server decides again, and alone
				before := back.asked.Load()
				reach(100)
				return back.asked.Load() == before
			}, 30*time.Second, time.Millisecond, "it does not recover")
			close(stop)
			all.Wait()

			passed := time.Since(began)
			perServer := int64(r.Requests) + int64(passed*time.Duration(r.Requests)/r.Per) + 1
			most := perServer + int64(tt.forgets*r.Requests) + back.allowed.Load()
			t.Logf("%d decisions in %v, %d allowed of at most %d, %d by the fallback; the slowest took %v",
				decided.Load(), passed.Round(time.Millisecond), allowed.Load(), most, back.allowed.Load(), slowest)
			require.LessOrEqual(t, allowed.Load(), most)
			require.Less(t, slowest, timeout+late)
		})
	}
}

// A server that is away when the process starts is used when it is there.
func TestServerStartsLater(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Kill()
	back := &fallback{Store: quota.NewMemoryStore(0)}
	store := bulwarkredis.NewStore(bulwarkredis.Config{Client: s.Client(t, nil), Fallback: back, Timeout: 500 * time.Millisecond})
	r := quota.Rate{Requests: 1000, Per: time.Hour}
	take := func() {
		_, err := store.Take(t.Context(), "key", 1, r)
		require.NoError(t, err)
	}
	for range 20 {
		take()
	}
	require.EqualValues(t, 20, back.asked.Load())
	require.NoError(t, s.Start())
	require.Eventually(t, func() bool {
		before := back.asked.Load()
		take()
		return back.asked.Load() == before
	}, 30*time.Second, 10*time.Millisecond)
}

// While the circuit breaker is open a decision does not wait for the server.
func TestOpenBreakerDoesNotWait(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Client(t, nil)
	var failures atomic.Int64
	const timeout = 200 * time.Millisecond
	store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: timeout, OnError: func(context.Context, error) { failures.Add(1) }})
	s.Pause()
	defer s.Resume()
	began := time.Now()
	for range 500 {
		_, err := store.Take(t.Context(), "key", 1, quota.Rate{Requests: 1000, Per: time.Hour})
		require.NoError(t, err)
	}
	probes := 1 + int64(time.Since(began)/time.Second)
	require.LessOrEqual(t, failures.Load(), 10+probes, "of 500")
}
