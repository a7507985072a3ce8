package bulwarkredis

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bulwark-go/bulwark/quota"
)

// The value of a bucket is the time at which it will be full: microseconds of the
// server's clock, and a fraction of a microsecond whose denominator the caller
// passes. All numbers are less than 2^53, so Lua's doubles are exact. By default
// Lua would print large numbers with fewer digits, so the script formats them.
//
//nolint:dupword // Lua says end twice
const script = `
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local den, us, num = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local most_us, most_num = tonumber(ARGV[4]), tonumber(ARGV[5])

local away, part = 0, 0
local full = redis.call('GET', KEYS[1])
if full then
  local a, b = string.match(full, '^(%d+) (%d+)$')
  a, b = tonumber(a), tonumber(b)
  if a and a >= now then
    away, part = a - now, b
    if part >= den then
      away, part = away + 1, 0
    end
  end
end

if ARGV[6] == 'back' then
  away, part = away - us, part - num
  if part < 0 then
    away, part = away - 1, part + den
  end
  if away < 0 then
    away, part = 0, 0
  end
  if not full then
    return {1, 0, 0}
  end
elseif away > most_us or (away == most_us and part > most_num) then
  return {0, away, part}
else
  away, part = away + us, part + num
  if part >= den then
    away, part = away + 1, part - den
  end
end

if away == 0 and part == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], string.format('%.0f %.0f', now + away, part), 'PX', string.format('%.0f', math.ceil(away / 1000) + 1))
end
return {1, away, part}
`

var scriptHash = redis.NewScript(script).Hash()

// span is a duration of ns + num/Rate.Requests nanoseconds.
type span struct {
	ns  int64
	num uint64
}

// Bounds: about 70 years until a bucket is full, and a denominator that is exact in a
// double.
const (
	maxSpan     = math.MaxInt64 / 4
	maxRequests = int64(1 << 42)
)

// spanOf returns the time in which n is filled into a bucket.
func spanOf(n int, r quota.Rate) span {
	hi, lo := bits.Mul64(uint64(n), uint64(r.Per))
	if hi >= uint64(r.Requests) {
		return span{ns: maxSpan}
	}
	ns, num := bits.Div64(hi, lo, uint64(r.Requests))
	if ns > maxSpan {
		return span{ns: maxSpan}
	}
	return span{int64(ns), num}
}

// arguments returns the arguments of the script: the denominator; the time that the
// cost takes to refill; how far from full the bucket may be before the cost is
// taken; and "back" if the cost is given back.
func arguments(cost int, r quota.Rate) []any {
	back, n := "", cost
	if cost < 0 {
		back, n = "back", -max(cost, -math.MaxInt)
	}
	move, most := spanOf(n, r), span{ns: -1000} // a cost above Burst is never allowed
	if n <= r.Burst {
		most = spanOf(r.Burst-n, r)
	}
	if int64(r.Requests) > maxRequests { // round, so that less is admitted rather than more
		if move.num > 0 {
			move = span{ns: move.ns + 1}
		}
		return []any{1, (move.ns + 999) / 1000, 0, most.ns / 1000, 0, back}
	}
	den := int64(r.Requests)
	return []any{
		1000 * den,
		move.ns / 1000, move.ns%1000*den + int64(move.num),
		most.ns / 1000, most.ns%1000*den + int64(most.num), back,
	}
}

// answer is the result of the script.
type answer struct {
	allowed bool
	us, num int64 // the time until the bucket is full
}

// errValue is the error if the value of a key is not one that the script has written.
var errValue = errors.New("bulwarkredis: the value of the key is not a bucket")

func newAnswer(v any, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	list, _ := v.([]any)
	var n [3]int64
	most := [len(n)]int64{1, 2*maxSpan/1000 + 1, 1000 * maxRequests} // with a debt, the time until full may be twice the longest time
	for i := range n {
		var ok bool
		if len(list) == len(n) {
			n[i], ok = list[i].(int64)
		}
		if !ok || n[i] < 0 || n[i] > most[i] {
			return answer{}, fmt.Errorf("%w: the script returned %v", errValue, v)
		}
	}
	return answer{n[0] == 1, n[1], n[2]}, nil
}

func (a answer) away(r quota.Rate) span {
	if int64(r.Requests) > maxRequests {
		return span{ns: a.us * 1000}
	}
	return span{a.us*1000 + a.num/int64(r.Requests), uint64(a.num % int64(r.Requests))}
}

func (s span) up() time.Duration {
	if s.num > 0 {
		s.ns++
	}
	return time.Duration(s.ns)
}

func (a answer) result(cost int, r quota.Rate) quota.Result {
	away := a.away(r)
	res := quota.Result{Allowed: a.allowed, ResetAfter: away.up(), Remaining: remaining(away, r)}
	if !a.allowed && cost <= r.Burst {
		res.RetryAfter = max(1, wait(away, spanOf(r.Burst-max(cost, 0), r), r))
	}
	return res
}

// wait returns the time after which the bucket needs at most the time most to be
// full.
func wait(away, most span, r quota.Rate) time.Duration {
	if cmp.Or(cmp.Compare(away.ns, most.ns), cmp.Compare(away.num, most.num)) <= 0 {
		return 0
	}
	left := span{away.ns - most.ns, away.num - most.num}
	if away.num < most.num {
		left = span{left.ns - 1, left.num + uint64(r.Requests)}
	}
	return left.up()
}

// remaining returns what is left in the bucket: Burst - away × Requests / Per, rounded
// down.
func remaining(away span, r quota.Rate) int {
	hi, lo := bits.Mul64(uint64(away.ns), uint64(r.Requests))
	lo, carry := bits.Add64(lo, away.num, 0)
	fullHi, fullLo := bits.Mul64(uint64(r.Burst), uint64(r.Per))
	lo, borrow := bits.Sub64(fullLo, lo, 0)
	if fullHi < hi+carry+borrow {
		return 0
	}
	left, _ := bits.Div64(fullHi-hi-carry-borrow, lo, uint64(r.Per))
	return int(left)
}
