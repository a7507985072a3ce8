package quota_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/quota"
	"github.com/stretchr/testify/require"
)

// capture returns the log of n requests to h.
func capture(t *testing.T, h http.Handler, requests int) string {
	t.Helper()
	var lines strings.Builder
	h = logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(&lines, nil))})(h)
	for range requests {
		require.Equal(t, 200, ask(h).StatusCode)
	}
	return lines.String()
}

func charging(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { quota.Charge(r.Context(), n) }
}

func TestChargeLeavesADebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quota.New(quota.Config{Rate: quota.Rate{Requests: 60, Per: time.Minute, Burst: 10}})(charging(29))
		require.Equal(t, 200, ask(h).StatusCode)
		res := ask(h)
		require.Equal(t, 429, res.StatusCode)
		require.Equal(t, "21", res.Header.Get("Retry-After"), "30 were taken of 10, and 1 is asked for")
		time.Sleep(21*time.Second - 1)
		require.Equal(t, 429, ask(h).StatusCode)
		time.Sleep(time.Nanosecond)
		require.Equal(t, 200, ask(h).StatusCode)
	})
}

func TestChargeGivesBack(t *testing.T) {
	for _, tt := range []struct {
		desc string
		n    int
		want string
	}{
		{"a part", -2, `"default";r=7;t=3`},
		{"all of it", -4, `"default";r=9;t=1`},
		{"no more than the request has cost", -100, `"default";r=9;t=1`},
		{"the least there is", math.MinInt, `"default";r=9;t=1`},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cost := 4
				h := quota.New(quota.Config{
					Rate: quota.Rate{Requests: 60, Per: time.Minute, Burst: 10}, Cost: func(*http.Request) int { return cost },
				})(charging(tt.n))
				require.Equal(t, 200, ask(h).StatusCode)
				cost = 1
				require.Equal(t, tt.want, ask(h).Header.Get("RateLimit"))
			})
		})
	}
}

func TestChargeAfterACostOfZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quota.New(quota.Config{Rate: quota.Rate{Requests: 60, Per: time.Minute}, Cost: func(*http.Request) int { return 0 }})(charging(61))
		require.Equal(t, 200, ask(h).StatusCode)
		require.Equal(t, 429, ask(h).StatusCode, "there is a debt")
		time.Sleep(time.Second)
		require.Equal(t, 200, ask(h).StatusCode)
	})
}

func TestChargeAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ctx context.Context
		h := quota.New(quota.Config{Rate: perMinute})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ctx = r.Context() }))
		asked, cancel := context.WithCancel(t.Context())
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(asked, "GET", "/", nil))
		cancel()
		quota.Charge(ctx, 2)
		require.Equal(t, 429, ask(h).StatusCode)
	})
}

func TestChargeWithoutAPolicy(t *testing.T) {
	quota.Charge(t.Context(), 1)
}

func TestChargeOfAStoreThatFails(t *testing.T) {
	store := &failing{Store: quota.NewMemoryStore(0)}
	lines := capture(t, quota.New(quota.Config{Rate: perMinute, Store: store})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		store.fail = true
		quota.Charge(r.Context(), 1)
		quota.Charge(r.Context(), -1)
	})), 1)
	require.Contains(t, lines, "the store has left")
}

type failing struct {
	quota.Store
	fail bool
}

func (f *failing) Take(ctx context.Context, key string, cost int, r quota.Rate) (quota.Result, error) {
	if f.fail {
		return quota.Result{}, errors.New("the store has left")
	}
	return f.Store.Take(ctx, key, cost, r)
}

// times is a Store that does what the documentation of Store says, and no more.
type times struct {
	mu   sync.Mutex
	full map[string]time.Time
}

func (s *times) Take(_ context.Context, key string, cost int, r quota.Rate) (quota.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, each, burst := time.Now(), r.Per/time.Duration(r.Requests), r.Burst
	if burst == 0 {
		burst = r.Requests
	}
	most := time.Duration(min(burst, int(math.MaxInt64/each))) * each
	full := s.full[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(time.Duration(cost) * each)
	if wait := full.Sub(now) - most; cost >= 0 && wait > 0 {
		return quota.Result{RetryAfter: wait}, nil
	}
	s.full[key] = full
	return quota.Result{Allowed: true, Remaining: int(max(0, most-full.Sub(now)) / each), ResetAfter: full.Sub(now)}, nil
}

// A request that one policy refuses counts for none.
func TestRefusedRequestTakesFromNoPolicy(t *testing.T) {
	wide := quota.Config{Rate: quota.Rate{Requests: 10, Per: time.Minute}, Name: "wide"}
	narrow := quota.Config{Rate: quota.Rate{Requests: 2, Per: time.Minute}, Name: "narrow"}
	other := quota.Config{Rate: quota.Rate{Requests: 8, Per: time.Minute}, Name: "other"}
	for _, tt := range []struct {
		desc  string
		chain []quota.Config
	}{
		{"the inner one refuses", []quota.Config{wide, narrow}},
		{"the outer one refuses", []quota.Config{narrow, wide}},
		{"the innermost of three", []quota.Config{wide, other, narrow}},
		{"the one in the middle", []quota.Config{wide, narrow, other}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, store := range []quota.Store{quota.NewMemoryStore(0), &times{full: map[string]time.Time{}}} {
					var h http.Handler = http.HandlerFunc(ok)
					for i := range tt.chain {
						cfg := tt.chain[len(tt.chain)-1-i]
						cfg.Store = store
						h = quota.New(cfg)(h)
					}
					for i := range 20 {
						want := 429
						if i < 2 {
							want = 200
						}
						require.Equal(t, want, ask(h).StatusCode)
					}
					for _, cfg := range tt.chain {
						res, err := store.Take(t.Context(), cfg.Name+":192.0.2.1", 0, cfg.Rate)
						require.NoError(t, err)
						require.Equal(t, cfg.Rate.Requests-2, res.Remaining, cfg.Name)
					}
				}
			})
		})
	}
}

// Shadow reports the requests that would be refused without it. A request that is
// served only because of Shadow adds nothing to the debt.
func TestShadowRefusesTheSameRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quota.Config{Rate: quota.Rate{Requests: 60, Per: time.Minute, Burst: 5}}
		enforced, _ := records(quota.New(cfg)(charging(3)))
		cfg.Shadow = true
		shadow, recs := records(quota.New(cfg)(charging(3)))
		for i := range 30 {
			refused := ask(enforced).StatusCode == 429
			require.Equal(t, 200, ask(shadow).StatusCode)
			require.Equal(t, refused, len(recs()[i].Remarks) > 0, "request %d", i)
			time.Sleep(time.Second)
		}
	})
}

func TestDebtInAStoreOfYourOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quota.New(quota.Config{Rate: quota.Rate{Requests: 10, Per: time.Minute}, Store: &times{full: map[string]time.Time{}}})(charging(99))
		require.Equal(t, 200, ask(h).StatusCode)
		res := ask(h)
		require.Equal(t, 429, res.StatusCode)
		require.Equal(t, "546", res.Header.Get("Retry-After"), "91 × 6 s")
		time.Sleep(546 * time.Second)
		require.Equal(t, 200, ask(h).StatusCode)
	})
}

func TestTwoPoliciesInTheHeaders(t *testing.T) {
	h := quota.New(quota.Config{Rate: quota.Rate{Requests: 10, Per: time.Minute}, Name: "minute"})(
		quota.New(quota.Config{Rate: quota.Rate{Requests: 20, Per: time.Hour}, Name: "hour"})(http.HandlerFunc(ok)))
	res := ask(h)
	require.Equal(t, []string{`"minute";q=10;w=60`, `"hour";q=20;w=3600`}, res.Header.Values("RateLimit-Policy"))
	require.Equal(t, []string{`"minute";r=9;t=6`, `"hour";r=19;t=180`}, res.Header.Values("RateLimit"))
}

func TestChargeCountsInEveryPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quota.New(quota.Config{Rate: quota.Rate{Requests: 10, Per: time.Minute}, Name: "minute"})(
			quota.New(quota.Config{Rate: quota.Rate{Requests: 20, Per: time.Hour}, Name: "hour"})(charging(3)))
		ask(h)
		require.Equal(t, []string{`"minute";r=5;t=30`, `"hour";r=15;t=900`}, ask(h).Header.Values("RateLimit"))
	})
}

// A flood of keys does not free a client that is in debt, whether or not it has been
// refused since.
func TestFloodFreesNoKeyInDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quota.New(quota.Config{
			Rate: quota.Rate{Requests: 60, Per: time.Minute, Burst: 10}, MaxKeys: 1,
			Key: func(r *http.Request) string { return r.Header.Get("Account") },
		})(charging(29))
		as := func(account string) int {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Account", account)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		require.Equal(t, 200, as("debtor"))
		for i := range 100 {
			as("flood-" + strconv.Itoa(i))
		}
		require.Equal(t, 429, as("debtor"))
		time.Sleep(21 * time.Second) // 30 were taken of 10, and 1 is asked for
		as("another")
		require.Equal(t, 200, as("debtor"))
	})
}

// A Store may keep fractions of which Rate.Requests is the denominator, so it must be the
// same in every Take of a key.
func TestEveryTakeOfAKeyHasTheSameRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &rates{Store: quota.NewMemoryStore(0)}
		h := quota.New(quota.Config{Rate: quota.Rate{Requests: 7, Per: time.Minute}, Store: store, Cost: func(*http.Request) int { return 3 }})(
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				quota.Charge(r.Context(), 1)
				time.Sleep(20 * time.Second)
				quota.Charge(r.Context(), -3)
			}))
		ask(h)
		require.Len(t, store.seen, 3)
		for _, r := range store.seen {
			require.Equal(t, 7, r.Requests)
		}
		res, err := store.Take(t.Context(), "default:192.0.2.1", 0, quota.Rate{Requests: 7, Per: time.Minute})
		require.NoError(t, err)
		require.LessOrEqual(t, res.ResetAfter, time.Nanosecond, "what was not filled in 20 s is given back, in whole nanoseconds")
	})
}

type rates struct {
	quota.Store
	seen []quota.Rate
}

func (s *rates) Take(ctx context.Context, key string, cost int, r quota.Rate) (quota.Result, error) {
	s.seen = append(s.seen, r)
	return s.Store.Take(ctx, key, cost, r)
}

// A late refund must not admit more than the rate. Requests take from the bucket and
// give back later, between others that are served. In no window more requests are
// served than the rate allows, to the nanosecond.
func TestRefundsNeverAdmitMore(t *testing.T) {
	for seed := range uint64(120) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			r := quota.Rate{Requests: 1 + rnd.IntN(5), Per: time.Second, Burst: 1 + rnd.IntN(4)}
			if seed%2 == 0 { // a time for a request that is no whole number of nanoseconds, and is short enough to meet
				r.Requests, r.Per = 1+rnd.IntN(50), time.Duration(1+rnd.IntN(200))
			}
			most := max(2, 2*int(r.Per)/r.Requests)
			var mu sync.Mutex
			var served []time.Time
			h := quota.New(quota.Config{Rate: r, Cost: func(r *http.Request) int { return len(r.Header.Get("Cost")) }})(
				http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if d := r.Header.Get("Refund"); d != "" {
						wait, _ := time.ParseDuration(d)
						time.Sleep(wait)
						quota.Charge(r.Context(), -len(r.Header.Get("Cost")))
						return
					}
					mu.Lock()
					defer mu.Unlock()
					served = append(served, time.Now())
				}))
			var all sync.WaitGroup
			for range 8 {
				src := rand.New(rand.NewPCG(rnd.Uint64(), 0))
				all.Go(func() {
					for range 60 {
						time.Sleep(time.Duration(src.IntN(most)))
						req := httptest.NewRequest("GET", "/", nil)
						req.Header.Set("Cost", "1")
						if src.IntN(2) == 0 {
							req.Header.Set("Cost", strings.Repeat("1", 1+src.IntN(r.Burst)))
							req.Header.Set("Refund", time.Duration(src.IntN(2*most)).String())
						}
						h.ServeHTTP(httptest.NewRecorder(), req)
					}
				})
			}
			all.Wait()
			for i := range served {
				for j := i; j < len(served); j++ {
					d := served[j].Sub(served[i])
					most := r.Burst + int(int64(d)*int64(r.Requests)/int64(r.Per))
					require.LessOrEqual(t, j-i+1, most, "%+v in %v", r, d)
				}
			}
		})
	}
}
