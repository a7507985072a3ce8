package quota

import (
	"context"
	"math"
	"net/http"
	"sync"
	"time"
)

// Charge adds n to the cost of the request that ctx belongs to, in every policy
// that has counted the request. Use Charge if the cost of a request is known only
// after the work is done. If the bucket holds less than n, it goes into debt, and
// the client's next requests are refused until the debt is filled up.
//
// A negative n gives back a part of the cost. At most, that is the cost of the
// request minus what the policy's rate has filled into the bucket since the request
// began.
//
// Charge may be called at any time, even after the handler has returned and after ctx
// has ended. It does nothing if no policy has counted the request. If the Store
// fails, the log record has the error as a remark.
func Charge(ctx context.Context, n int) {
	for t := takenBy(ctx); t != nil; t = t.outer {
		if n > 0 {
			t.charge(n)
		} else if n < 0 {
			t.giveBack(-max(n, -math.MaxInt))
		}
	}
}

// taken is what one policy has taken for a request. It is the context that the
// handler gets.
type taken struct {
	context.Context //nolint:containedctx // taken is a context itself

	*policy
	outer *taken // what the policy around this one has taken
	r     *http.Request
	key   string

	mu    sync.Mutex
	cost  int
	since time.Time // when the first cost was taken, or a little before
}

type takenKey struct{}

// Value returns t for takenKey.
func (t *taken) Value(key any) any {
	if key == (takenKey{}) {
		return t
	}
	return t.Context.Value(key)
}

func takenBy(ctx context.Context) *taken {
	t, _ := ctx.Value(takenKey{}).(*taken)
	return t
}

// took records a cost that the Store has taken since the given time.
func (t *taken) took(cost int, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cost == 0 {
		t.since = since
	}
	t.cost = min(t.cost, math.MaxInt-cost) + cost
}

// charge takes n even if the bucket holds less: with the largest Burst nothing is
// refused.
func (t *taken) charge(n int) {
	r := t.Rate
	r.Burst = math.MaxInt
	since := time.Now()
	if _, err := t.store.Take(context.WithoutCancel(t.Context), t.key, n, r); err != nil {
		remark(t.r, err)
		return
	}
	t.took(n, since)
}

// giveBack gives n of the cost back, but not what has been refilled since the cost
// was taken: other requests may have used that, or it was lost because the bucket
// was full. The refill is at most what the rate gives in the time since the first
// cost was taken, so only the cost above that is given back. Otherwise more
// requests than the rate would be admitted.
func (t *taken) giveBack(n int) {
	t.mu.Lock()
	whole, passed := t.Rate.spanOf(t.cost), time.Since(t.since)
	n = min(n, t.cost)
	t.cost -= n
	t.mu.Unlock()

	left, r := time.Duration(whole.ns)-passed, t.Rate
	switch {
	case n == 0 || passed > 0 && left <= 0:
		return
	case passed > 0 && left < r.spanOf(n).up():
		n, r.Per = r.Requests, left // at this rate, Requests take the time that is left; Requests is not changed, because it is the denominator of the Store's fractions
	}
	if _, err := t.store.Take(context.WithoutCancel(t.Context), t.key, -n, r); err != nil {
		remark(t.r, err)
	}
}

// undo gives back the whole cost, in all policies.
func (t *taken) undo() {
	for ; t != nil; t = t.outer {
		t.giveBack(math.MaxInt)
	}
}
