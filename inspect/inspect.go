package inspect

import (
	"context"
	"net/http"
	"runtime/pprof"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Config configures [New]. The zero value is valid. The zero value of a field means
// its documented default.
type Config struct {
	// MaxEntries is the maximum number of requests in flight that are listed. Each
	// takes about 150 bytes. It is rounded up to a power of two, to at least 256. More
	// requests are served and counted, but not listed. It must be at most 1<<24.
	// Default 0: 16384.
	MaxEntries int

	// NoStacks turns off profiler labels, and with them stacks. See "Labels" in the
	// package comment. Default: false.
	NoStacks bool
}

const (
	defaultMaxEntries = 16384
	mostEntries       = 1 << 24
)

// An Inspector records the requests that pass through its Middleware, and serves
// the page that shows them. [New] returns one. It is safe for concurrent use.
type Inspector struct {
	slots    *slots
	stats    stats
	failures failures
	stacks   stacks
	page     *page
}

// New returns an Inspector. New starts no goroutine. It panics if cfg is wrong.
func New(cfg Config) *Inspector {
	switch {
	case cfg.MaxEntries < 0:
		panic("inspect: MaxEntries must not be negative")
	case cfg.MaxEntries > mostEntries:
		panic("inspect: MaxEntries must be at most 1<<24")
	}
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = defaultMaxEntries
	}
	in := &Inspector{page: newPage()}
	in.stats.start()
	in.stacks.app = newApplication()
	in.slots = newSlots(cfg.MaxEntries, !cfg.NoStacks, (*watcher)(in))
	return in
}

// Middleware records the requests that next serves. Put it outside timeout: around
// bulwark.New, or directly inside logging in a chain of your own. The page gets
// what it shows of clients from package logging, so logging must be in the same
// chain, outside or inside Middleware. If a chain has several, only the outermost
// one has an effect.
func (in *Inspector) Middleware(next http.Handler) http.Handler { return &handler{in.slots, next} }

type handler struct {
	slots *slots
	next  http.Handler
}

// ServeHTTP does all steps that most requests behind another middleware need itself:
// a call of another function would cost as much as one of the steps.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.Of(r)
	if x == nil {
		exchange.Serve(w, r, h)
		return
	}
	if !x.Inspection().Watched() { // otherwise an outer Inspector has recorded the request
		if x.Inspection().Labeled() && h.slots.labeled {
			h.serveScoped(x, w, r)
			return
		}
		h.slots.list(x, r.RemoteAddr)
		x.Inspection().PublishWatch()
	}
	h.next.ServeHTTP(w, r)
}

// ServeExchange implements exchange.Handler, for all other requests.
func (h *handler) ServeExchange(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
	maker, _ := x.Outermost().(*handler)
	switch {
	case x.Inspection().Watched():
	case x.Inspection().Labeled() && h.slots.labeled:
		h.serveScoped(x, w, r)
		return
	case maker == h: // the exchange is new
		x.Inspection().OwnWatch()
		h.slots.list(x, r.RemoteAddr)
	case r.Context() != context.Context(x):
		h.serveScoped(x, w, r)
		return
	default:
		h.slots.list(x, r.RemoteAddr)
		x.Inspection().PublishWatch()
	}
	h.next.ServeHTTP(w, r)
}

// ExchangeRouter lets a deadline outside find the route.
func (h *handler) ExchangeRouter() exchange.Router { return exchange.RouterOf(h.next) }

// ExchangeNext lets a deadline inside find out which middleware is around it.
func (h *handler) ExchangeNext() http.Handler { return h.next }

// watcher is the Inspector as an exchange.Inspector.
type watcher Inspector

// Left implements exchange.Inspector. Like leave, it gives the slot back, but for most
// requests it does so itself.
func (in *watcher) Left(x *exchange.Exchange, w *exchange.Watch) {
	if w.Labels != nil {
		pprof.SetGoroutineLabels(noLabels)
	}
	if w.Holder == nil || x.Detached() {
		in.slots.leave(x, w)
		return
	}
	w.Holder.Store(nil)
}

// Failed implements exchange.Inspector.
func (in *watcher) Failed(x *exchange.Exchange, e exchange.Ending) { in.failures.add(x, e) }
