package bulwarkredis

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/quota"
)

// For any reply of a server, the result is one that a Store may return.
func FuzzAnswer(f *testing.F) {
	f.Add(int64(1), int64(0), int64(0), 1, 100, int64(time.Minute), 100)
	f.Add(int64(0), int64(60_000_000), int64(7), 5, 3, int64(time.Hour), 10)
	f.Add(int64(0), int64(-1<<63), int64(-1), -5, math.MaxInt, int64(1), 1)
	f.Add(int64(7), int64(1<<62), int64(1<<62), math.MaxInt, 1, int64(1<<62), math.MaxInt)
	f.Fuzz(func(t *testing.T, allowed, us, num int64, cost, requests int, per int64, burst int) {
		r := quota.Rate{Requests: requests, Per: time.Duration(per), Burst: burst}
		if requests <= 0 || per <= 0 || burst <= 0 {
			return // quota.New refuses it
		}
		a, err := newAnswer([]any{allowed, us, num}, nil)
		if err != nil {
			return
		}
		res := a.result(cost, r)
		assert.Equal(t, allowed == 1, res.Allowed)
		assert.GreaterOrEqual(t, res.Remaining, 0)
		assert.LessOrEqual(t, res.Remaining, burst)
		assert.GreaterOrEqual(t, res.RetryAfter, time.Duration(0))
		assert.GreaterOrEqual(t, res.ResetAfter, time.Duration(0))
	})
}
