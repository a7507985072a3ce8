package overload

import (
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/bulwark-go/bulwark/limits"
)

// The settings of every contender that has such settings.
const (
	workers = 4                     // also the limit of requests in flight
	service = 32 * time.Millisecond // mean
	maxWait = time.Second
	backlog = 1000
)

// capacity is how many requests the workers can serve in a second.
const capacity = float64(workers) * float64(time.Second) / float64(service)

// contender is a way to handle overload.
type contender struct {
	name string
	wrap func(http.Handler) http.Handler
}

// The names of the contenders that bounds refer to.
const (
	ours      = "Bulwark"
	ourQueue  = "Bulwark, QueueTarget = MaxWait"
	unlimited = "nothing"
)

func contenders() []contender {
	return []contender{
		{ours, limits.New(limits.Config{MaxInFlight: workers, MaxQueue: backlog, MaxWait: maxWait})},
		{ourQueue, limits.New(limits.Config{MaxInFlight: workers, MaxQueue: backlog, MaxWait: maxWait, QueueTarget: maxWait})},
		{"chi Throttle", middleware.Throttle(workers)},
		{"chi ThrottleBacklog", middleware.ThrottleBacklog(workers, backlog, maxWait)},
		{"failsafe-go bulkhead", func(h http.Handler) http.Handler {
			return failsafehttp.NewHandler(h, bulkhead.NewBuilder[*http.Response](workers).WithMaxWaitTime(maxWait).Build())
		}},
		{"failsafe-go adaptive limiter", func(h http.Handler) http.Handler {
			return failsafehttp.NewHandler(h, adaptivelimiter.NewBuilder[*http.Response]().WithQueueing(2, 3).WithMaxWaitTime(maxWait).Build())
		}},
		{unlimited, func(h http.Handler) http.Handler { return h }},
	}
}
