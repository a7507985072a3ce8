package inspect

import (
	"context"
	"net/http"

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
	stats    *stats
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
	in := &Inspector{stats: newStats(), page: newPage()}
	in.stacks.app = newApplication()
	in.slots = newSlots(cfg.MaxEntries, !cfg.NoStacks, &exchange.Watcher{Inspector: (*watcher)(in)})
	return in
}

// Middleware records the requests that next serves. Put it outside timeout: around
// bulwark.New, or directly inside logging in a chain of your own. The page gets
// what it shows of clients from package logging, so logging must be in the same
// chain, outside or inside Middleware. If a chain has several, only the outermost
// one has an effect.
func (in *Inspector) Middleware(next http.Handler) http.Handler { return &handler{in, next} }

type handler struct {
	*Inspector
	next http.Handler
}

// ServeHTTP does all steps that most requests need itself: a call of another
// function would cost as much as one of the steps.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if x := exchange.Of(r); x == nil || !x.Watched() && !h.list(x, r) {
		exchange.Serve(w, r, h)
		return
	}
	h.next.ServeHTTP(w, r)
}

// ServeExchange implements exchange.Handler, for all other requests.
func (h *handler) ServeExchange(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
	// Otherwise an outer Inspector may have recorded the request.
	if x.Watched() || r.Context() == context.Context(x) && h.list(x, r) {
		h.next.ServeHTTP(w, r)
		return
	}
	h.serveScoped(x, w, r)
}

// list gives the request a slot, and gives this goroutine the labels of the slot,
// until the server's goroutine leaves the exchange. If the context already has
// labels, list does nothing and returns false.
func (h *handler) list(x *exchange.Exchange, r *http.Request) bool {
	t := h.slots
	if t.labeled && x.Labeled() {
		return false
	}
	s := t.take(x, r.RemoteAddr)
	x.SetWatch(&s.watch, false)
	s.setLabels()
	return true
}

// ExchangeRouter lets a deadline outside find the route.
func (h *handler) ExchangeRouter() exchange.Router { return exchange.RouterOf(h.next) }

// ExchangeNext lets a deadline inside find out which middleware is around it.
func (h *handler) ExchangeNext() http.Handler { return h.next }

// watcher is the Inspector as an exchange.Inspector.
type watcher Inspector

// Left implements exchange.Inspector.
func (in *watcher) Left(x *exchange.Exchange, w *exchange.Watch) {
	t := in.slots
	if w.Labels != nil {
		t.resetLabels()
	}
	t.leave(x, w)
}

// Failed implements exchange.Inspector.
func (in *watcher) Failed(x *exchange.Exchange, e exchange.Ending) { in.failures.add(x, e) }
