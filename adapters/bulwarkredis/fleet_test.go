//go:build unix

package bulwarkredis_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
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

// memberAddr names the server for a process of the fleet.
const memberAddr = "BULWARKREDIS_FLEET"

// The fleet asks for more than this rate. The bucket holds what is filled in 10 seconds,
// and is empty at the beginning, so that nothing is lost while a busy machine runs none
// of the processes.
var fleetRate = quota.Rate{Requests: 6000, Per: time.Minute, Burst: 1000}

// fleetTime is how long they ask: a tenth of a minute, or what FLEET_TIME says. The gate
// sets it to 1m.
func fleetTime() time.Duration {
	s := os.Getenv("FLEET_TIME")
	if s == "" {
		return 6 * time.Second
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		panic("FLEET_TIME: " + err.Error())
	}
	return d
}

// member is a process of the fleet: it asks as fast as it can, and prints how
// many requests it was allowed.
func member() {
	c := redis.NewClient(&redis.Options{Addr: os.Getenv(memberAddr)})
	defer c.Close()
	store := bulwarkredis.NewStore(bulwarkredis.Config{Client: c, Timeout: ample})
	var allowed atomic.Int64
	var all sync.WaitGroup
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	end := time.Now().Add(fleetTime())
	for range 4 {
		all.Go(func() {
			for time.Now().Before(end) {
				res, err := store.Take(context.Background(), "fleet", 1, fleetRate)
				switch {
				case err != nil:
					panic(err)
				case res.Allowed:
					allowed.Add(1)
				default:
					time.Sleep(res.RetryAfter)
				}
			}
		})
	}
	all.Wait()
	fmt.Println(allowed.Load())
}

func TestFleetIsWithinOneRequestOfTheRate(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Client(t, nil)
	clock := func() time.Time {
		now, err := c.Time(t.Context()).Result()
		require.NoError(t, err)
		return now
	}
	const processes = 4
	type process struct {
		cmd *exec.Cmd
		out *bufio.Reader
		in  func()
	}
	var fleet []process
	for range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), memberAddr+"="+s.Addr)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		p := process{cmd, bufio.NewReader(out), func() { _, _ = in.Write([]byte("\n")) }}
		line, err := p.out.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "ready\n", line)
		fleet = append(fleet, p)
	}

	// The first request is ours. It empties the bucket.
	before := clock()
	res, err := strict(t, c).Take(t.Context(), "fleet", fleetRate.Burst, fleetRate)
	require.NoError(t, err)
	require.True(t, res.Allowed)
	after := clock()
	total := fleetRate.Burst
	for _, p := range fleet {
		p.in()
	}
	reports := make(chan int, processes)
	for _, p := range fleet {
		go func() {
			line, err := p.out.ReadString('\n')
			assert.NoError(t, err)
			assert.NoError(t, p.cmd.Wait())
			n, err := strconv.Atoi(strings.TrimSpace(line))
			assert.NoError(t, err)
			reports <- n
		}()
	}
	for reported := 0; ; { // we ask as well, so that the bucket is not full before the last process has ended
		end := clock()
		res, err := strict(t, c).Take(t.Context(), "fleet", 1, fleetRate) // a new store, which remembers no refusal
		require.NoError(t, err)
		switch {
		case res.Allowed:
			total++
			continue
		case reported < processes:
			select {
			case n := <-reports:
				require.Positive(t, n)
				total += n
				reported++
			case <-time.After(res.RetryAfter):
			}
			continue
		}
		// The rate of the time between the first request and the last is known up to the
		// time that these two took.
		filled := func(d time.Duration) int { return int(d * time.Duration(fleetRate.Requests) / fleetRate.Per) }
		least := fleetRate.Burst + filled(end.Sub(after)) - 1
		most := fleetRate.Burst + filled(clock().Sub(before))
		t.Logf("%d processes were allowed %d requests in %v, of which %d were in the bucket; the rate is %d to %d",
			processes+1, total, end.Sub(before).Round(time.Millisecond), fleetRate.Burst, least+1, most)
		require.GreaterOrEqual(t, total, least)
		require.LessOrEqual(t, total, most)
		return
	}
}
