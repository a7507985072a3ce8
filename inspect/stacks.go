package inspect

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// stacks takes the stacks of goroutines.
type stacks struct {
	app     application
	waiting atomic.Int32

	mu    sync.Mutex // held while a profile is taken, so only one is taken at a time
	last  *profile   // also for the callers that waited meanwhile
	began time.Time  // when taking last began

	log limiter
}

// goroutines is a group of goroutines with the same stack.
type goroutines struct {
	frames []frame
	count  int
	role   role
	cut    bool // the runtime has left out the outermost frames
}

// profileDepth is how many calls of a stack a profile has, unless GODEBUG's
// profstackdepth changes it.
const profileDepth = 128

// role is what a goroutine does for the request whose labels it has.
type role int

const (
	started role = iota // the handler started it, or an earlier handler with the same labels
	waiting             // the server's goroutine: the handler has another one, or has returned
	serving             // the server's goroutine: it runs the handler
	apart               // the handler's own goroutine: the handler may be abandoned
)

// These frames show which role a goroutine has.
const (
	waitingFrame = module + "/internal/exchange.(*Exchange).serveDetached"
	servingFrame = module + "/inspect.(*handler).Serve" // HTTP or Exchange
	apartFrame   = module + "/internal/exchange.(*Exchange).runDetached"
	aroundFrame  = module + "/internal/exchange.begin"
)

func roleOf(frames []frame) role {
	around := false
	for _, f := range frames {
		switch {
		case f.Function == waitingFrame:
			return waiting
		case strings.HasPrefix(f.Function, servingFrame):
			return serving
		case f.Function == apartFrame:
			return apart
		case f.Function == aroundFrame: // perhaps of an exchange within the handler's
			around = true
		}
	}
	if around && server(frames[len(frames)-1].Function) {
		return waiting // in the middleware around the handler
	}
	return started
}

// of returns the stacks of all goroutines with a label. If handler is true, the
// first stack is the handler's. The other goroutines were started by the handler,
// or by the handler of an earlier request in the same slot.
func (s *stacks) of(label string) (all []goroutines, handler bool, err error) {
	p, err := s.profile()
	if err != nil {
		return nil, false, err
	}
	for _, smp := range p.samples[label] {
		frames, err := p.frames(smp)
		if err != nil {
			return nil, false, err
		}
		if len(frames) == 0 {
			continue // goroutines that have not begun to run
		}
		all = append(all, goroutines{handlerFrames(frames), smp.count, roleOf(frames), len(smp.locations) >= profileDepth})
	}
	all, handler = sorted(all)
	return all, handler, nil
}

// sorted puts the handler's goroutine first, and reports whether that is known.
func sorted(all []goroutines) ([]goroutines, bool) {
	var cut []*goroutines
	found := false
	for i := range all {
		if g := &all[i]; g.role >= serving {
			found = true
		} else if g.cut && g.role == started {
			cut = append(cut, g)
		}
	}
	if !found && len(cut) == 1 && cut[0].count == 1 { // what shows the role was left out
		cut[0].role = serving
	}
	slices.SortStableFunc(all, func(a, b goroutines) int { return int(b.role - a.role) })
	if len(all) > 1 && all[0].role >= serving && all[1].role >= waiting && all[1].role < all[0].role {
		all = slices.Delete(all, 1, 2) // it waits for the first, or has just stopped waiting
	}
	// If two goroutines run handlers, one of the handlers has outlived its request.
	return all, len(all) > 0 && all[0].role >= serving && (len(all) == 1 || all[1].role < serving)
}

// profile takes a profile, or returns one that another goroutine has taken while
// this one waited.
func (s *stacks) profile() (*profile, error) {
	asked := time.Now()
	s.waiting.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if s.waiting.Add(-1) == 0 {
			s.last = nil
		}
	}()
	if s.last != nil && s.began.After(asked) {
		return s.last, nil
	}
	s.began = time.Now()
	p, err := takeProfile()
	s.last = p
	return p, err
}

// Stack implements exchange.Inspector. It returns the stack of an abandoned handler
// for the log record.
func (in *watcher) Stack(x *exchange.Exchange, w *exchange.Watch, route string) string {
	if w.Labels == nil || !in.stacks.log.allow(route, time.Now()) {
		return ""
	}
	all, handler, err := in.stacks.of(in.slots.value(w.Slot))
	switch {
	case err != nil:
		x.Logf("bulwark: %v", err)
		return ""
	case !handler || in.slots.at(w.Slot).x.Load() != x: // the handler has just returned
		return ""
	}
	return in.stacks.app.text(all[0].frames)
}

// limiter bounds how often a stack is taken for a log record: once a minute for
// each route, and once a second for all routes together, because in an outage the
// requests of many routes end at once.
type limiter struct {
	mu     sync.Mutex
	last   time.Time
	routes map[string]time.Time
}

const (
	eachRoute = time.Minute
	eachStack = time.Second
)

func (l *limiter) allow(route string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < eachStack {
		return false
	}
	if at, ok := l.routes[route]; ok && now.Sub(at) < eachRoute {
		return false
	}
	for r, at := range l.routes {
		if now.Sub(at) >= eachRoute {
			delete(l.routes, r) // the map therefore has at most 60 routes
		}
	}
	if l.routes == nil {
		l.routes = map[string]time.Time{}
	}
	l.last, l.routes[route] = now, now
	return true
}
