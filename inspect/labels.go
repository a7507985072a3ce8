package inspect

import (
	"context"
	"net/http"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// labelName is the name of the profiler label that identifies the goroutines of a
// request.
const labelName = "bulwark.request"

// prepare makes a slot ready for its first request. Later requests share its
// labels: new labels for each request would take three allocations.
func (t *slots) prepare(s *slot, i uint32) {
	s.watch.Watcher, s.watch.Holder, s.watch.Slot = t.watcher, &s.x, i
	if t.labeled {
		s.watch.Labels = exchange.LabelsOf(pprof.WithLabels(context.Background(), t.set(i)))
	}
}

// setLabels gives this goroutine the labels of the slot. The request's context has
// these labels, too, through the Watch. So if the handler adds its own labels, ours
// stay.
func (s *slot) setLabels() {
	if s.watch.Labels != nil {
		pprof.SetGoroutineLabels((*slotContext)(s))
	}
}

// resetLabels removes all labels from this goroutine.
func (t *slots) resetLabels() { pprof.SetGoroutineLabels((*slotContext)(&t.none)) }

// slotContext is the context from which pprof takes the labels of a slot.
type slotContext slot

func (*slotContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*slotContext) Done() <-chan struct{}       { return nil }
func (*slotContext) Err() error                  { return nil }
func (s *slotContext) Value(any) any             { return s.watch.Labels }

func (t *slots) set(i uint32) pprof.LabelSet { return pprof.Labels(labelName, t.value(i)) }

// value returns the value of the label of slot i.
func (t *slots) value(i uint32) string { return t.prefix + strconv.FormatUint(uint64(i), 10) }

// serveScoped serves a request that an outer middleware has copied, or whose context
// already has labels.
func (h *handler) serveScoped(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
	s := h.slots.take(x, r.RemoteAddr)
	defer h.slots.leave(x, &s.watch)
	if s.watch.Labels != nil {
		if others := exchange.LabelsOf(r.Context()); others != nil {
			h.serveMerged(x, s, others, w, r)
			return
		}
		defer h.slots.resetLabels()
	}
	x.SetWatch(&s.watch, true)
	s.setLabels()
	h.next.ServeHTTP(w, r)
}

// serveMerged serves a request whose context already has labels.
func (h *handler) serveMerged(x *exchange.Exchange, s *slot, others any, w http.ResponseWriter, r *http.Request) {
	var outer slotContext // r.Context returns our labels while the handler runs
	outer.watch.Labels = others
	ctx := pprof.WithLabels(r.Context(), h.slots.set(s.watch.Slot))
	x.SetWatch(&exchange.Watch{
		Watcher: h.slots.watcher, Holder: &s.x, Slot: s.watch.Slot, Labels: exchange.LabelsOf(ctx),
	}, true)
	defer pprof.SetGoroutineLabels(&outer)
	pprof.SetGoroutineLabels(ctx)
	passed := r
	if r.Context() != context.Context(x) { // a context between r and the exchange has the labels
		passed = r.WithContext(ctx)
		defer exchange.HandBack(passed, r)
	}
	h.next.ServeHTTP(w, passed)
}
