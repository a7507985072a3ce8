package inspect

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// kept is how many failures are kept for each outcome. Each outcome has a ring of
// its own, so many refusals do not displace a deadline.
const kept = 32

// failures has the last requests that failed, by outcome.
type failures [len(outcomes) + 1]ring

// ring is written to without a lock. If two requests are written at the same time,
// either may be the later one.
type ring struct {
	next atomic.Uint32
	last [kept]atomic.Pointer[failure]
}

type failure struct {
	ended
	pattern string
}

// ended is a request that has failed.
type ended struct {
	Time time.Time `json:"time"` // when the request ended
	described

	Outcome   exchange.Outcome `json:"outcome"`
	Status    int              `json:"status"` // 0: none was sent
	Duration  float64          `json:"duration"`
	Kind      string           `json:"error_type"`
	Message   string           `json:"error_message"`
	Abandoned bool             `json:"abandoned"`
	Stack     string           `json:"handler_stack,omitempty"`
}

// bad reports whether an outcome is a failure.
func bad(o exchange.Outcome) bool { return o != exchange.OK && o != exchange.Upgraded }

func (f *failures) add(x *exchange.Exchange, e exchange.Ending) {
	n := &failure{pattern: strings.Clone(e.Route), ended: ended{
		Time: x.Start().Add(e.Duration), described: describe(x, e.Route).clone(),
		Outcome: e.Outcome, Status: e.Status, Duration: e.Duration.Seconds(), Abandoned: e.Abandoned, Stack: e.Where,
	}}
	if d := x.Inspection().Describer(); d != nil {
		explain := func() {
			kind, message := d.Explain(&e)
			n.Kind, n.Message = strings.Clone(kind), strings.Clone(message)
		}
		const what = "inspect: an error of the request"
		if x.EndedEarly() { // this is a goroutine of Bulwark, on which a panic of the error's methods must be recovered
			x.Contain(what, explain)
		} else {
			x.Survive(what, explain)
		}
	}
	r := &f[outcomeIndex(e.Outcome)]
	r.last[(r.next.Add(1)-1)%kept].Store(n)
}

// list returns all failures, the last one first.
func (f *failures) list() []*failure {
	var all []*failure
	for i := range f {
		for j := range f[i].last {
			if n := f[i].last[j].Load(); n != nil {
				all = append(all, n)
			}
		}
	}
	slices.SortFunc(all, func(a, b *failure) int { return cmp.Or(b.Time.Compare(a.Time), strings.Compare(a.ID, b.ID)) })
	return all
}
