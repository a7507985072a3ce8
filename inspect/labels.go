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

// makeLabels makes the labels of a slot for its first request. Later requests share
// them: new labels for each request would take three allocations. The contexts of the
// requests have these labels, too, through the Watch. So if a handler adds its own
// labels, ours stay.
func (t *slots) makeLabels(s *slot) {
	s.watch.Labels = exchange.LabelsOf(pprof.WithLabels(context.Background(), t.set(s.watch.Slot)))
}

// noLabels is a context without labels.
var noLabels = new(slotContext)

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
	s := h.slots.list(x, r.RemoteAddr)
	defer h.slots.leave(x, &s.watch)
	x.Inspection().ScopeWatch()
	if s.watch.Labels != nil {
		if others := exchange.LabelsOf(r.Context()); others != nil {
			h.serveMerged(x, s, others, w, r)
			return
		}
		defer pprof.SetGoroutineLabels(noLabels)
	}
	x.Inspection().PublishWatch()
	h.next.ServeHTTP(w, r)
}

// serveMerged serves a request whose context already has labels.
func (h *handler) serveMerged(x *exchange.Exchange, s *slot, others any, w http.ResponseWriter, r *http.Request) {
	var outer slotContext // r.Context returns our labels while the handler runs
	outer.watch.Labels = others
	ctx := pprof.WithLabels(r.Context(), h.slots.set(s.watch.Slot))
	x.Inspection().SetWatch(&exchange.Watch{
		Inspector: h.slots.watcher, Holder: &s.x, Slot: s.watch.Slot, Labels: exchange.LabelsOf(ctx),
	})
	x.Inspection().PublishWatch()
	defer pprof.SetGoroutineLabels(&outer)
	pprof.SetGoroutineLabels(ctx)
	passed := r
	if r.Context() != context.Context(x) { // a context between r and the exchange has the labels
		passed = r.WithContext(ctx)
		defer exchange.HandBack(passed, r)
	}
	h.next.ServeHTTP(w, passed)
}
