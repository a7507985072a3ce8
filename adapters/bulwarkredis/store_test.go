//go:build unix

package bulwarkredis_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/adapters/bulwarkredis"
	"github.com/bulwark-go/bulwark/adapters/bulwarkredis/internal/redistest"
	"github.com/bulwark-go/bulwark/quota"
)

// ample is a Timeout for tests that are not about it.
const ample = 10 * time.Second

// strict is a store that fails the test if its answers do not come from the server.
func strict(t *testing.T, c redis.UniversalClient) quota.Store {
	t.Helper()
	return bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: ample, Fallback: never{t}})
}

type never struct{ t *testing.T }

func (n never) Take(context.Context, string, int, quota.Rate) (quota.Result, error) {
	n.t.Error("the fallback was asked")
	return quota.Result{}, errors.New("unexpected")
}

// counting counts the scripts that are called, and the pipelines with them. go-redis
// sends other pipelines on new connections.
type counting struct{ commands, pipelines atomic.Int64 }

func (c *counting) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (c *counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (c *counting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if strings.HasPrefix(cmds[0].Name(), "eval") {
			c.commands.Add(int64(len(cmds)))
			c.pipelines.Add(1)
		}
		return next(ctx, cmds)
	}
}

func TestNewStoreNamesEveryBadField(t *testing.T) {
	require.PanicsWithValue(t, "bulwarkredis: Client is required; Timeout must not be negative; Replicas must not be negative",
		func() { bulwarkredis.NewStore(bulwarkredis.Config{Timeout: -1, Replicas: -1}) })
	require.PanicsWithValue(t, "bulwarkredis: Client is required; Replicas has no effect with a Fallback",
		func() { bulwarkredis.NewStore(bulwarkredis.Config{Fallback: quota.NewMemoryStore(0), Replicas: 2}) })
	require.PanicsWithValue(t, "bulwarkredis: Client must not be a nil *redis.Client; Fallback must not be a nil *bulwarkredis_test.fallback",
		func() {
			bulwarkredis.NewStore(bulwarkredis.Config{Client: (*redis.Client)(nil), Fallback: (*fallback)(nil)})
		})
}

func TestTake(t *testing.T) {
	store := strict(t, redistest.Client(t, nil))
	hourly := quota.Rate{Requests: 10, Per: time.Hour}
	for _, step := range []struct {
		desc                 string
		cost                 int
		allowed              bool
		remaining            int
		retryAfter, resetsIn time.Duration
	}{
		{"nothing of a full bucket", 0, true, 10, 0, 0},
		{"one", 1, true, 9, 0, 6 * time.Minute},
		{"several", 4, true, 5, 0, 30 * time.Minute},
		{"more than there is", 6, false, 5, 6 * time.Minute, 30 * time.Minute},
		{"more than ever fits", 11, false, 5, 0, 30 * time.Minute},
		{"giving back", -2, true, 7, 0, 18 * time.Minute},
		{"what did not fit before", 6, true, 1, 0, 54 * time.Minute},
		{"giving back more than was taken", math.MinInt, true, 10, 0, 0},
		{"all", 10, true, 0, 0, time.Hour},
	} {
		res, err := store.Take(t.Context(), "key", step.cost, hourly)
		require.NoError(t, err, step.desc)
		require.Equal(t, step.allowed, res.Allowed, step.desc)
		require.InDelta(t, step.retryAfter, res.RetryAfter, float64(time.Minute), step.desc)
		require.InDelta(t, step.resetsIn, res.ResetAfter, float64(time.Minute), step.desc)
		require.InDelta(t, step.remaining, res.Remaining, 0, step.desc)
	}
}

func TestTakeOfOddRates(t *testing.T) {
	store := strict(t, redistest.Client(t, nil))
	for i, r := range []quota.Rate{
		{Requests: 3, Per: time.Hour},
		{Requests: 7, Per: 24 * time.Hour, Burst: 1},
		{Requests: 1, Per: math.MaxInt64},
		{Requests: 1_000_003, Per: 24 * 366 * time.Hour},
		{Requests: math.MaxInt, Per: math.MaxInt64, Burst: 10},
		{Requests: math.MaxInt >> 20, Per: math.MaxInt64, Burst: 3},
	} {
		r.Burst = min(max(r.Burst, 1), 20)
		allowed := 0
		for range 40 {
			res, err := store.Take(t.Context(), strconv.Itoa(i), 1, r)
			require.NoError(t, err)
			require.GreaterOrEqual(t, res.Remaining, 0)
			if res.Allowed {
				allowed++
			}
		}
		if r.Per/time.Duration(r.Requests) > time.Minute {
			require.Equal(t, r.Burst, allowed, "%+v", r)
		}
		require.GreaterOrEqual(t, allowed, r.Burst, "%+v", r)
	}
	_, err := store.Take(t.Context(), "k", 1, quota.Rate{})
	require.ErrorContains(t, err, "invalid rate")
}

// A debt may become as large as the handler makes it with quota.Charge.
func TestLargestDebt(t *testing.T) {
	store := strict(t, redistest.Client(t, nil))
	r := quota.Rate{Requests: 1, Per: time.Hour, Burst: math.MaxInt}
	var allowed []bool
	for range 4 {
		res, err := store.Take(t.Context(), "key", math.MaxInt, r)
		require.NoError(t, err)
		allowed = append(allowed, res.Allowed)
	}
	require.Equal(t, []bool{true, false, false, false}, allowed)
	for range 2 {
		res, err := store.Take(t.Context(), "key", math.MaxInt/2, r)
		require.NoError(t, err)
		require.Greater(t, res.ResetAfter, 50*365*24*time.Hour)
	}
}

// A rate with a fraction of a microsecond is exact: a key is allowed again after the
// time in the answer, and not before.
func TestRetryAfterIsTrue(t *testing.T) {
	store := strict(t, redistest.Client(t, nil))
	r := quota.Rate{Requests: 70, Per: time.Second, Burst: 2}
	var began time.Time
	allowed := 0
	for allowed < 30 {
		before := time.Now()
		res, err := store.Take(t.Context(), "key", 1, r)
		require.NoError(t, err)
		if !res.Allowed {
			require.Positive(t, res.RetryAfter)
			require.LessOrEqual(t, res.RetryAfter, time.Second/70+time.Microsecond)
			<-time.After(res.RetryAfter)
			continue
		}
		if began.IsZero() {
			began = before
		}
		allowed++
		require.LessOrEqual(t, allowed, 2+int(time.Since(began)*70/time.Second)+1)
	}
	require.GreaterOrEqual(t, time.Since(began), 28*time.Second/70-2*time.Millisecond)
}

func TestGoroutinesOnOneKey(t *testing.T) {
	c := redistest.Client(t, nil)
	store := strict(t, c)
	_, err := store.Take(t.Context(), "another", 1, quota.Rate{Requests: 1, Per: time.Hour})
	require.NoError(t, err, "it loads the script")
	count := &counting{}
	c.AddHook(count)
	const goroutines, burst = 64, 700
	var allowed atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range 20 {
				res, err := store.Take(t.Context(), "key", 1, quota.Rate{Requests: burst, Per: 10_000 * time.Hour})
				if assert.NoError(t, err) && res.Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, burst, allowed.Load())
	t.Logf("%d decisions in %d pipelines", count.commands.Load(), count.pipelines.Load())
	require.LessOrEqual(t, count.commands.Load(), int64(burst+goroutines), "each goroutine is refused by the server at most once")
}

// Decisions that are asked for while the server is busy share the next pipeline.
func TestConcurrentDecisionsShareAPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
		defer c.Close()
		release := make(chan struct{})
		var mu sync.Mutex
		var sizes []int
		c.AddHook(pipelines(func(_ context.Context, cmds []redis.Cmder) error {
			mu.Lock()
			sizes = append(sizes, len(cmds))
			mu.Unlock()
			<-release
			return allow(cmds)
		}))
		store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: ample, Fallback: never{t}})
		var all sync.WaitGroup
		take := func(n int) {
			for range n {
				all.Go(func() {
					_, err := store.Take(t.Context(), "key", 1, quota.Rate{Requests: 1000, Per: time.Hour})
					assert.NoError(t, err)
				})
				synctest.Wait()
			}
		}
		take(64)
		close(release)
		all.Wait()
		require.Equal(t, []int{1, 1, 1, 1, 60}, sizes)
	})
}

func TestOneRoundTripADecision(t *testing.T) {
	c := redistest.Client(t, nil)
	store := strict(t, c)
	r := quota.Rate{Requests: 1000, Per: time.Hour}
	_, err := store.Take(t.Context(), "key", 1, r)
	require.NoError(t, err, "it loads the script")
	count := &counting{}
	c.AddHook(count)
	for range 10 {
		_, err := store.Take(t.Context(), "key", 1, r)
		require.NoError(t, err)
	}
	require.EqualValues(t, 10, count.pipelines.Load())
	require.EqualValues(t, 10, count.commands.Load())
}

// The server may forget the script at any time.
func TestScriptIsLoadedAgain(t *testing.T) {
	c := redistest.Client(t, nil)
	store := strict(t, c)
	for want := 9; want > 0; want-- {
		require.NoError(t, c.ScriptFlush(t.Context()).Err())
		res, err := store.Take(t.Context(), "key", 1, quota.Rate{Requests: 10, Per: time.Hour})
		require.NoError(t, err)
		require.Equal(t, want, res.Remaining)
	}
}

func TestRefusedKeyIsCachedUntilItsTime(t *testing.T) {
	c := redistest.Client(t, nil)
	count := &counting{}
	c.AddHook(count)
	store := strict(t, c)
	take := func(key string, cost int, r quota.Rate) quota.Result {
		res, err := store.Take(t.Context(), key, cost, r)
		require.NoError(t, err)
		return res
	}
	hourly := quota.Rate{Requests: 2, Per: time.Hour}
	take("key", 2, hourly)
	first := take("key", 1, hourly)
	require.False(t, first.Allowed)
	asked := count.commands.Load()
	var last quota.Result
	for range 50 {
		last = take("key", 1, hourly)
		require.False(t, last.Allowed)
		require.LessOrEqual(t, last.RetryAfter, first.RetryAfter)
	}
	higher := take("key", 2, hourly)
	require.False(t, higher.Allowed)
	require.Greater(t, higher.RetryAfter, last.RetryAfter, "a higher cost takes longer")
	require.Equal(t, asked, count.commands.Load())

	require.True(t, take("key", -1, hourly).Allowed)
	require.True(t, take("key", 1, hourly).Allowed, "what was given back can be taken at once")

	fast := quota.Rate{Requests: 100, Per: 10 * time.Second, Burst: 2}
	first = take("fast", 1, fast)
	for first.Allowed {
		first = take("fast", 1, fast)
	}
	<-time.After(first.RetryAfter)
	require.True(t, take("fast", 1, fast).Allowed, "its time has come")
}

// A key expires when its bucket is full, because it has no information then.
func TestKeysExpire(t *testing.T) {
	c := redistest.Client(t, nil)
	store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: ample, Prefix: "p:", Fallback: never{t}})
	_, err := store.Take(t.Context(), "key", 3, quota.Rate{Requests: 3, Per: time.Hour})
	require.NoError(t, err)
	ttl, err := c.PTTL(t.Context(), "p:key").Result()
	require.NoError(t, err)
	require.InDelta(t, time.Hour, ttl, float64(time.Minute))
	size, err := c.MemoryUsage(t.Context(), "p:key").Result()
	if err == nil {
		t.Logf("%d bytes a key", size)
	}
	_, err = store.Take(t.Context(), "key", -3, quota.Rate{Requests: 3, Per: time.Hour})
	require.NoError(t, err)
	n, err := c.Exists(t.Context(), "p:key").Result()
	require.NoError(t, err)
	require.Zero(t, n, "a full bucket is no information")
}

// A key that another program has written is an error, and not a decision.
func TestKeysOfOthers(t *testing.T) {
	c := redistest.Client(t, nil)
	var failures atomic.Int64
	store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: ample, OnError: func(context.Context, error) { failures.Add(1) }})
	require.NoError(t, c.LPush(t.Context(), "quota:list", 1).Err())
	require.NoError(t, c.Set(t.Context(), "quota:text", "hello", 0).Err())
	r := quota.Rate{Requests: 2, Per: time.Hour}
	res, err := store.Take(t.Context(), "list", 1, r)
	require.NoError(t, err)
	require.True(t, res.Allowed, "the fallback decides")
	require.EqualValues(t, 1, failures.Load())
	require.NoError(t, c.Set(t.Context(), "quota:large", "99999999999999999999 0", 0).Err())
	for range 20 { // the circuit breaker would open
		for _, key := range []string{"list", "large"} {
			_, err = store.Take(t.Context(), key, 1, r)
			require.NoError(t, err)
		}
	}
	require.EqualValues(t, 41, failures.Load())
	res, err = store.Take(t.Context(), "text", 1, r)
	require.NoError(t, err)
	require.Equal(t, 1, res.Remaining, "a text that is no bucket is replaced")
}

// losing is a connection that breaks when the server has replied, before the client has
// read the reply.
type losing struct {
	net.Conn
	next *atomic.Bool
	lost atomic.Bool
}

func (l *losing) Read(b []byte) (int, error) {
	if l.lost.Load() {
		return 0, io.EOF
	}
	n, err := l.Conn.Read(b)
	if n > 0 && l.next.CompareAndSwap(true, false) {
		l.lost.Store(true)
		return 0, io.EOF
	}
	return n, err
}

// If it is unknown whether the server has given something back, nothing is given back
// again: neither by go-redis, which retries when a connection breaks, nor by Fallback.
// More would be admitted than the rate.
func TestNothingIsGivenBackTwice(t *testing.T) {
	var lose atomic.Bool
	c := redistest.Client(t, func(o *redis.Options) {
		o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &losing{Conn: conn, next: &lose}, err
		}
	})
	store := strict(t, c)
	r := quota.Rate{Requests: 10, Per: 1000 * time.Hour}
	remaining := func() int {
		res, err := store.Take(t.Context(), "key", 0, r)
		require.NoError(t, err)
		return res.Remaining
	}
	_, err := store.Take(t.Context(), "key", 5, r)
	require.NoError(t, err)
	lose.Store(true)
	_, err = store.Take(t.Context(), "key", -2, r)
	require.ErrorIs(t, err, io.EOF)
	require.False(t, lose.Load())
	require.Equal(t, 7, remaining())

	lose.Store(true)
	_, err = store.Take(t.Context(), "key", 1, r)
	require.NoError(t, err, "a request is asked about again")
	require.Equal(t, 5, remaining(), "and is counted twice rather than not at all")
}

// Each decision goes to the node that has its key. Pipelines have decisions for both.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := redistest.Cluster(t)
	store := strict(t, c)
	r := quota.Rate{Requests: 5, Per: 1000 * time.Hour}
	const keys = 100
	var allowed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range keys {
				res, err := store.Take(t.Context(), strconv.Itoa(i), 1, r)
				if assert.NoError(t, err) && res.Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, keys*r.Requests, allowed.Load())
	for i := range keys {
		_, err := store.Take(t.Context(), strconv.Itoa(i), -2, r)
		require.NoError(t, err)
		res, err := store.Take(t.Context(), strconv.Itoa(i), 0, r)
		require.NoError(t, err)
		require.Equal(t, 2, res.Remaining)
	}
	require.NoError(t, c.ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
		n, err := node.DBSize(ctx).Result()
		assert.Positive(t, n, "each node has some of the keys")
		return err
	}))
}

// A hook of the application panics on a goroutine of the store.
type panicking struct{ counting }

func (*panicking) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(context.Context, []redis.Cmder) error { panic("hook") }
}

func TestHookThatPanics(t *testing.T) {
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer c.Close()
	c.AddHook(&panicking{})
	var said error
	store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: ample, OnError: func(_ context.Context, err error) { said = err }})
	res, err := store.Take(t.Context(), "key", 1, quota.Rate{Requests: 2, Per: time.Hour})
	require.NoError(t, err)
	require.True(t, res.Allowed)
	require.ErrorContains(t, said, "the client panicked: hook")
}

// Without a server the default Fallback has the rate divided by Replicas.
func TestFallbackIsDivided(t *testing.T) {
	for _, tt := range []struct {
		desc           string
		replicas, cost int
		rate           quota.Rate
		allowed        int
	}{
		{"one process", 0, 1, quota.Rate{Requests: 12, Per: time.Hour}, 12},
		{"four", 4, 1, quota.Rate{Requests: 12, Per: time.Hour}, 3},
		{"more than Burst", 40, 1, quota.Rate{Requests: 12, Per: time.Hour}, 1},
		{"a cost above the part of Burst", 4, 6, quota.Rate{Requests: 12, Per: time.Hour}, 1},
		{"a cost above Burst", 4, 13, quota.Rate{Requests: 12, Per: time.Hour}, 0},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, Dialer: func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New("no server")
			}})
			defer c.Close()
			store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Replicas: tt.replicas})
			allowed := 0
			for range 20 {
				res, err := store.Take(t.Context(), "key", tt.cost, tt.rate)
				require.NoError(t, err)
				if res.Allowed {
					allowed++
				}
			}
			require.Equal(t, tt.allowed, allowed)
		})
	}
}

func TestMiddleware(t *testing.T) {
	store := strict(t, redistest.Client(t, nil))
	const day = 24 * time.Hour
	h := quota.New(quota.Config{Rate: quota.Rate{Requests: 5, Per: day}, Name: "wide", Store: store})(
		quota.New(quota.Config{Rate: quota.Rate{Requests: 2, Per: day}, Name: "narrow", Store: store})(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	for i := range 10 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if i < 2 {
			require.Equal(t, 200, w.Code)
			continue
		}
		require.Equal(t, 429, w.Code)
		retry, err := strconv.Atoi(w.Header().Get("Retry-After"))
		require.NoError(t, err)
		require.InDelta(t, 12*60*60, retry, 60)
	}
	res, err := store.Take(t.Context(), "wide:192.0.2.1", 0, quota.Rate{Requests: 5, Per: day})
	require.NoError(t, err)
	require.InDelta(t, 3, res.Remaining, 0, "refused requests took nothing of it")
}
