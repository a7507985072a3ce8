package inspect

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// report is what the page and the JSON show. The package comment describes its
// fields.
type report struct {
	Time       time.Time                 `json:"time"`
	InFlight   int64                     `json:"in_flight"`
	Unlisted   int64                     `json:"unlisted"`
	Abandoned  int                       `json:"abandoned"`
	Activities map[exchange.Activity]int `json:"activities"`
	Goroutines int                       `json:"goroutines"`
	Requests   []request                 `json:"requests"`
	Interval   float64                   `json:"interval"`
	Routes     []*route                  `json:"routes"`
	Failures   []ended                   `json:"failures"`
}

// query has the parameters of the request for the page.
type query struct {
	order order
	route *string // only this route; nil means all
}

// Bounds of what a report lists.
const (
	maxRequests = 500
	maxFailures = 100
)

// report collects the data once for the whole page.
func (in *Inspector) report(q query) *report {
	now := time.Now()
	r := &report{
		Time: now, Unlisted: in.slots.unlisted.Load(), Goroutines: runtime.NumGoroutine(),
		Activities: map[exchange.Activity]int{}, Requests: []request{}, Failures: []ended{},
		Interval: interval.Seconds(),
	}
	routes := map[string]*route{}
	var shown []*looked
	for _, e := range in.slots.all() {
		l := look(e)
		r.add(l, routes)
		if q.route == nil || *q.route == l.pattern {
			shown = append(shown, l)
		}
	}
	r.InFlight += r.Unlisted
	slices.SortFunc(shown, func(a, b *looked) int {
		return cmp.Or(q.order(now, a, b), byAge(now, a, b), cmp.Compare(a.slot, b.slot))
	})
	for _, l := range shown[:min(len(shown), maxRequests)] {
		r.Requests = append(r.Requests, l.request(now))
	}
	r.Routes = in.stats.routesAt(now.Sub(in.stats.began), routes)
	for _, f := range in.failures.list() {
		if len(r.Failures) < maxFailures && (q.route == nil || *q.route == f.pattern) {
			r.Failures = append(r.Failures, f.ended)
		}
	}
	return r
}

func (r *report) add(l *looked, routes map[string]*route) {
	to := routes[l.pattern]
	if to == nil {
		to = &route{Route: l.pattern}
		routes[l.pattern] = to
	}
	r.Activities[l.Activity]++
	r.InFlight++
	to.InFlight++
	if l.Abandoned {
		r.Abandoned++
		to.Abandoned++
	}
}

// route has the requests of a route that are in flight and those that ended in the
// last ten minutes. Each list has one number for each interval, the oldest first.
type route struct {
	Route     string                      `json:"route"`
	InFlight  int                         `json:"in_flight"`
	Abandoned int                         `json:"abandoned"`
	Outcomes  map[exchange.Outcome]uint64 `json:"outcomes"`
	Rate      []float64                   `json:"rate"`   // requests a second
	Failed    []float64                   `json:"failed"` // requests a second that failed
	P50       []float64                   `json:"p50"`    // seconds; 0 if there was no request
	P99       []float64                   `json:"p99"`

	lately counts // the counts of the last minute
}

// routesAt returns the routes at a time since the start of the inspector, the
// busiest first.
func (s *stats) routesAt(at time.Duration, inFlight map[string]*route) []*route {
	for _, one := range s.read(at) {
		r := inFlight[one.pattern]
		if r == nil {
			r = &route{Route: one.pattern}
			inFlight[one.pattern] = r
		}
		r.fill(one.past)
	}
	return s.bounded(slices.SortedFunc(maps.Values(inFlight), busiest))
}

func busiest(a, b *route) int {
	return cmp.Or(cmp.Compare(b.InFlight, a.InFlight), cmp.Compare(b.lately.total(), a.lately.total()), cmp.Compare(a.Route, b.Route))
}

// bounded counts the routes beyond maxRoutes together with the other routes. A route
// of which a request has ended is kept, because s has at most maxRoutes of these.
func (s *stats) bounded(all []*route) []*route {
	if len(all) <= maxRoutes {
		return all
	}
	other := &route{Route: s.other.pattern}
	room := maxRoutes
	for _, r := range all {
		switch {
		case r.Route == other.Route:
			other = r
		case r.Outcomes != nil:
			room--
		}
	}
	all = slices.DeleteFunc(all, func(r *route) bool {
		switch {
		case r == other:
			return true
		case r.Outcomes != nil:
			return false
		case room > 0:
			room--
			return false
		}
		other.InFlight += r.InFlight
		other.Abandoned += r.Abandoned
		return true
	})
	all = append(all, other)
	slices.SortFunc(all, busiest)
	return all
}

func (r *route) fill(past []counts) {
	r.Outcomes = map[exchange.Outcome]uint64{}
	var sum counts
	for i := range past {
		c := &past[i]
		sum.add(c)
		if i >= len(past)-int(time.Minute/interval) {
			r.lately.add(c)
		}
		r.Rate = append(r.Rate, float64(c.total())/interval.Seconds())
		r.Failed = append(r.Failed, float64(c.failed())/interval.Seconds())
		r.P50 = append(r.P50, c.quantile(0.5).Seconds())
		r.P99 = append(r.P99, c.quantile(0.99).Seconds())
	}
	for i, o := range outcomes {
		if sum.outcomes[i] > 0 {
			r.Outcomes[o] = uint64(sum.outcomes[i])
		}
	}
}
