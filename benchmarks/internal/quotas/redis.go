package quotas

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	httprateredis "github.com/go-chi/httprate-redis"
	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/bulwark-go/bulwark/adapters/bulwarkredis"
	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/quota"
)

// ErrNoRedis means that redis-server is not installed.
var ErrNoRedis = errors.New("redis-server is not installed")

// Fleet is the cost of decisions in Redis.
type Fleet struct {
	Name     string
	Nanos    measure.Spread // how long a client waits for a decision
	PerCore  float64        // decisions in one second of the server's CPU time
	Failures int64
}

// Run is the cost of each limiter with one number of goroutines.
type Run struct {
	Goroutines int
	Limiters   []Fleet
}

// InRedis starts a Redis server and measures the limiters in turns, with the given
// number of keys and each number of goroutines.
func InRedis(rounds, batch, keys int, goroutines ...int) ([]Run, error) {
	c, end, err := redisServer()
	if err != nil {
		return nil, err
	}
	defer end()
	all, names := inRedis(c, keys), keysOf("10.", keys)
	for _, l := range all { // the server gets the keys
		_, _ = waiting(l.take, names, max(len(names), 64), 64)
	}
	var runs []Run
	for _, n := range goroutines {
		runs = append(runs, Run{n, redisInTurns(c, all, names, rounds, batch, n)})
	}
	if n := c.DBSize(context.Background()).Val(); n < int64(keys/64*64*len(all)) {
		return nil, fmt.Errorf("the server has %d keys at the end, want %d for each of %d limiters", n, keys, len(all))
	}
	return runs, nil
}

func redisInTurns(c *redis.Client, all []limiter, keys []string, rounds, batch, goroutines int) []Fleet {
	nanos, cpu, failed := make([][]float64, len(all)), make([]float64, len(all)), make([]int64, len(all))
	for round := range rounds {
		for turn := range all {
			i := (turn + round) % len(all)
			before := cpuTime(c)
			n, bad := waiting(all[i].take, keys, batch, goroutines)
			cpu[i] += cpuTime(c) - before
			nanos[i], failed[i] = append(nanos[i], n), failed[i]+bad
		}
	}
	var fleet []Fleet
	for i, l := range all {
		fleet = append(fleet, Fleet{l.name, measure.Of(nanos[i]), float64(rounds*(batch/goroutines*goroutines)) / cpu[i], failed[i]})
	}
	return fleet
}

const perMinute = 1_000_000

// inRedis returns the limiters. A server forgets a key when its bucket is full. So
// one key, which is asked for all the time, has a rate that it does not exceed, and
// each of many keys has one at which it stays for a quarter of an hour.
func inRedis(c *redis.Client, keys int) []limiter {
	rate := quota.Rate{Requests: perMinute, Per: time.Minute}
	if keys > 1 {
		rate = quota.Rate{Requests: 100, Per: 24 * time.Hour}
	}
	limit := redis_rate.Limit{Rate: rate.Requests, Burst: rate.Requests, Period: rate.Per}
	store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: time.Second})
	theirs := redis_rate.NewLimiter(c)
	counter := httprateredis.NewCounter(&httprateredis.Config{Client: c, WindowLength: time.Minute, FallbackTimeout: time.Second})
	counter.Config(perMinute, time.Minute)
	return []limiter{
		{bulwark, func(key string) bool {
			res, err := store.Take(context.Background(), key, 1, rate)
			return err == nil && res.Allowed
		}, nothing},
		{"redis_rate", func(key string) bool {
			res, err := theirs.Allow(context.Background(), key, limit)
			return err == nil && res.Allowed > 0
		}, nothing},
		{"httprate-redis", func(key string) bool { // the calls that the middleware of httprate makes
			now := time.Now().UTC().Truncate(time.Minute)
			n, _, err := counter.Get(key, now, now.Add(-time.Minute))
			return err == nil && n < perMinute && counter.IncrementBy(key, now, 1) == nil
		}, nothing},
	}
}

// waiting returns how many nanoseconds a client waits for a decision.
func waiting(take func(string) bool, keys []string, batch, goroutines int) (nanos float64, failed int64) {
	var all sync.WaitGroup
	var bad, spent atomic.Int64
	first, each := rand.IntN(len(keys)), batch/goroutines
	for g := range goroutines {
		all.Go(func() {
			for i := range each {
				start := time.Now()
				if !take(keys[(first+g*each+i)%len(keys)]) {
					bad.Add(1)
				}
				spent.Add(int64(time.Since(start)))
			}
		})
	}
	all.Wait()
	return float64(spent.Load()) / float64(each*goroutines), bad.Load()
}

// cpuTime returns the CPU time that the server's main thread has used, in seconds.
func cpuTime(c *redis.Client) float64 {
	info := c.InfoMap(context.Background(), "cpu").Item("CPU", "used_cpu_user")
	user, _ := strconv.ParseFloat(info, 64)
	sys, _ := strconv.ParseFloat(c.InfoMap(context.Background(), "cpu").Item("CPU", "used_cpu_sys"), 64)
	return user + sys
}

func redisServer() (*redis.Client, func(), error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, nil, ErrNoRedis
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	dir, err := os.MkdirTemp("", "bulwark-benchmarks-")
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(context.Background(), path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	end := func() {
		_ = c.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	for range 500 {
		if err = c.Ping(context.Background()).Err(); err == nil {
			return c, end, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	end()
	return nil, nil, err
}
