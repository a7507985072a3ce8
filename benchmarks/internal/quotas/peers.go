// Package quotas measures what a decision of a rate limiter costs, and how much
// memory the limiter takes.
package quotas

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/didip/tollbooth/v8"
	tollboothlimiter "github.com/didip/tollbooth/v8/limiter"
	"github.com/go-chi/httprate"
	echomiddleware "github.com/labstack/echo/v5/middleware"
	"github.com/sethvargo/go-limiter/memorystore"
	ulule "github.com/ulule/limiter/v3"
	ululememory "github.com/ulule/limiter/v3/drivers/store/memory"
	"golang.org/x/time/rate"

	"github.com/bulwark-go/bulwark/quota"
)

const bulwark = "Bulwark"

// The names of the limiters that bounds refer to.
const (
	HTTPRate  = "httprate"
	Tollbooth = "tollbooth"
	GoLimiter = "go-limiter"
	XTimeRate = "x/time/rate in a map"
)

// limiter decides about a request of the key.
type limiter struct {
	name string
	take func(key string) bool
	end  func() // stops its goroutines, if there are any
}

// peer returns a limiter that allows the given number of requests for each key in
// the time per. If the limiter bounds the number of keys, it keeps that many.
type peer func(requests int, per time.Duration, keys int) limiter

var peers = []peer{ours, xTimeRate, echo, httpRate, goLimiter, ululeLimiter, tollBooth}

func nothing() {}

func ours(requests int, per time.Duration, keys int) limiter {
	store := quota.NewMemoryStore(keys)
	r := quota.Rate{Requests: requests, Per: per}
	return limiter{bulwark, func(key string) bool {
		res, err := store.Take(context.Background(), key, 1, r)
		return err == nil && res.Allowed
	}, nothing}
}

// xTimeRate is what many services write by hand. It keeps all keys.
func xTimeRate(requests int, per time.Duration, _ int) limiter {
	var mu sync.Mutex
	all := map[string]*rate.Limiter{}
	return limiter{XTimeRate, func(key string) bool {
		mu.Lock()
		l := all[key]
		if l == nil {
			l = rate.NewLimiter(rate.Limit(float64(requests)/per.Seconds()), requests)
			all[key] = l
		}
		mu.Unlock()
		return l.Allow()
	}, nothing}
}

// echo forgets keys that were idle for three minutes.
func echo(requests int, per time.Duration, _ int) limiter {
	store := echomiddleware.NewRateLimiterMemoryStoreWithConfig(echomiddleware.RateLimiterMemoryStoreConfig{Rate: float64(requests) / per.Seconds(), Burst: requests})
	return limiter{"Echo v5", func(key string) bool {
		ok, err := store.Allow(key)
		return ok && err == nil
	}, nothing}
}

// httpRate counts in windows and keeps two of them. It sends no headers here.
func httpRate(requests int, per time.Duration, _ int) limiter {
	l := httprate.NewRateLimiter(requests, per, httprate.WithResponseHeaders(httprate.ResponseHeaders{}))
	w, r := discard{}, httptest.NewRequest(http.MethodGet, "/", nil)
	return limiter{HTTPRate, func(key string) bool { return !l.OnLimit(w, r, key) }, nothing}
}

// goLimiter removes old keys in the background.
func goLimiter(requests int, per time.Duration, _ int) limiter {
	store, err := memorystore.New(&memorystore.Config{Tokens: uint64(requests), Interval: per})
	if err != nil {
		panic(err)
	}
	return limiter{GoLimiter, func(key string) bool {
		_, _, _, ok, err := store.Take(context.Background(), key)
		return ok && err == nil
	}, func() { _ = store.Close(context.Background()) }}
}

// ululeLimiter does not sweep, as it does by default in the background every 30 s: it
// would find nothing while it is measured, and is freed only when a sweep has ended.
func ululeLimiter(requests int, per time.Duration, _ int) limiter {
	store := ululememory.NewStoreWithOptions(ulule.StoreOptions{Prefix: ulule.DefaultPrefix})
	l := ulule.New(store, ulule.Rate{Period: per, Limit: int64(requests)})
	return limiter{"ulule/limiter", func(key string) bool {
		c, err := l.Get(context.Background(), key)
		return err == nil && !c.Reached
	}, nothing}
}

func tollBooth(requests int, per time.Duration, _ int) limiter {
	l := tollbooth.NewLimiter(float64(requests)/per.Seconds(), &tollboothlimiter.ExpirableOptions{DefaultExpirationTTL: time.Hour}).SetBurst(requests)
	return limiter{Tollbooth, func(key string) bool { return tollbooth.LimitByKeys(l, []string{key}) == nil }, nothing}
}

// discard is a ResponseWriter that discards everything.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
