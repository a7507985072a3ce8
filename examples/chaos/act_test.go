package chaos_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/examples/internal/wire"
)

const (
	whole = wire.Whole
	cut   = wire.Cut
	reset = wire.Reset
	none  = wire.None
	left  = wire.Left
)

// act is one request of a plan: what both sides do, what may come of it, and what
// did.
type act struct {
	entry    *entry
	scenario *scenario
	id, what string // what: the parameters, in words
	req      wire.Request
	up       string // the body that is sent
	lazy     bool   // HTTP/2: the client takes no more than it must
	handler  func(a *act, w http.ResponseWriter, r *http.Request) error
	client   func(a *act, c client) wire.Answer
	allowed  []verdict

	unseen    bool // the stack must not see it
	uncertain bool // it is not certain that the server will see it
	renamed   bool // its id is not clean, and gets replaced
	unrouted  bool // refused where a stack around the engine knows no route yet
	early     bool // may be answered there

	entered  chan struct{} // closed when the handler runs
	ended    chan struct{} // when it does no more
	seen     chan struct{} // when the client has some of the response
	logged   chan struct{} // when there is a line
	noted    chan struct{} // when there is a note that the handler ended late
	returned chan struct{} // when the stack has returned
	reached  atomic.Int32  // how often the stack was

	answer  wire.Answer // what the client saw
	traffic *traffic    // what the line must say of it where the answer is whole, nil where that depends
	lateEnd string      // how the handler ends where it ends late, "" where that depends

	mu     sync.Mutex
	faults []string
	lines  []line
	notes  []line
	kept   chan struct{} // closed when nothing of the request is kept any more
}

// traffic is the bytes in and out.
type traffic struct{ in, out int }

// verdict is a way in which a request may end.
type verdict struct {
	status   int // on the wire; 0: nothing
	end      wire.Ending
	body     string // all that could come
	rest     string // what could come after that, over and over
	outcome  string
	intended int
	logged   int    // the status in the line, where it is not that on the wire
	why      string // where it is not the only one
}

func newAct(e *entry, s *scenario, id string) *act {
	return &act{
		entry: e, scenario: s, id: id, client: converse,
		req:     wire.Request{Method: http.MethodGet, Path: "/act/" + id, Header: map[string]string{"X-Request-Id": id}},
		entered: make(chan struct{}), ended: make(chan struct{}), seen: make(chan struct{}),
		logged: make(chan struct{}), noted: make(chan struct{}), returned: make(chan struct{}),
	}
}

// upload gives the request a body of n bytes.
func (a *act) upload(n int, chunked bool) { a.send(a.text(n), chunked) }

func (a *act) send(body string, chunked bool) {
	a.req.Method, a.req.Stalls, a.req.Declared, a.up = http.MethodPost, true, len(body), body
	if chunked {
		a.req.Declared = -1
	}
}

// text is n bytes that no other request has. On the way in they look like a
// request, so that one that is read where the next begins would be served.
func (a *act) text(n int) string {
	unit := a.id + "\r\n\r\nGET /smuggled/" + a.id + " HTTP/1.1\r\nHost: test\r\n\r\n"
	return strings.Repeat(unit, n/len(unit)+1)[:n]
}

// errorText is what the mapper says of an error to this client.
func errorText(id string, status int) string { return fmt.Sprintf("%d for %s\n", status, id) }

func (a *act) allow(v ...verdict) { a.allowed = append(a.allowed, v...) }

// ok is the ending of an ordinary request.
func (a *act) ok(status int, body string) {
	a.allow(verdict{status: status, end: whole, body: body, outcome: "ok"})
}

// failed is the ending by an error response.
func (a *act) failed(status int, outcome string) {
	a.allow(verdict{status: status, end: whole, body: errorText(a.id, status), outcome: outcome})
}

// late is the ending by the deadline's answer. In place on HTTP/2 a reset follows
// it (see timeout.New).
func (a *act) late(status int, why string) {
	v := verdict{status: status, end: whole, body: errorText(a.id, status), outcome: "deadline", why: why}
	if a.entry.http2 && a.entry.world.route && a.entry.world.Pools {
		v.end = reset
	}
	a.allow(v)
}

// broken is the ending of a response that had begun.
func (a *act) broken(body, outcome string, intended int) {
	a.allow(verdict{status: 200, end: cut, body: body, outcome: outcome, intended: intended})
}

// gone are the endings of a request whose client does not wait for it. body is
// the response that a handler might have got out.
func (a *act) gone(body string) {
	a.unseenGone()
	a.allow(
		verdict{status: 200, end: left, body: body, outcome: "client_gone", why: "gone during the response"},
		verdict{status: 200, end: left, body: body, outcome: "ok", why: "the response was in the kernel's hands before the news came"},
	)
}

// unseenGone are the endings of a request whose client was gone before it was
// sent anything.
func (a *act) unseenGone() {
	a.allow(
		verdict{end: left, logged: 499, outcome: "client_gone", why: "gone before anything was sent"},
		verdict{end: left, logged: 499, intended: 200, outcome: "client_gone", why: "gone before what was written was sent"},
	)
	if a.entry.http2 {
		a.allow(verdict{status: 200, end: left, logged: -1, intended: 200, outcome: "client_gone", why: "a write failed that may have got the head out"})
	}
}

// maybeGone adds the endings of a connection that breaks at any time.
func (a *act) maybeGone() {
	a.uncertain = true
	for _, v := range a.allowed {
		v.end, v.why = left, "the connection broke after that"
		a.allow(v)
		if v.status == 0 {
			continue
		}
		for _, outcome := range []string{v.outcome, "client_gone"} {
			v.outcome, v.intended, v.logged, v.why = outcome, 0, 0, "the connection broke during that"
			a.allow(v)
			v.intended, v.logged, v.why = v.status, -1, "a write failed that may have got the head out"
			a.allow(v)
			v.intended = 0 // of a panic
			a.allow(v)
			v.intended, v.why = 500, "the same, and the handler returned the failure before anybody knew why"
			a.allow(v)
			v.logged = 0
			a.allow(v)
		}
		v.status, v.intended, v.logged, v.why = 0, v.status, 499, "the connection broke before what was written was sent"
		a.allow(v)
	}
	a.unseenGone()
}

// unserved says that an answer before ended the connection.
func (a *act) unserved() {
	a.unseen, a.uncertain = true, true
	a.answer.End = none
	a.allowed = []verdict{{end: none}}
}

// retain says that something of the request is kept until the channel is closed.
func (a *act) retain() chan<- struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept = make(chan struct{})
	return a.kept
}

// play lets the client do its part.
func (a *act) play(c client) { a.answer = a.client(a, c) }

// faultf notes what is wrong whatever else is allowed.
func (a *act) faultf(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// await waits for what must come.
func (a *act) await(ch <-chan struct{}, what string) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-ch:
		return true
	case <-t.C:
		a.faultf("waited in vain: %s", what)
		return false
	}
}

// arrives waits for a request that may not arrive at all.
func (a *act) arrives(d time.Duration) bool {
	t := time.NewTicker(d / 100)
	defer t.Stop()
	for range 100 {
		if a.reached.Load() > 0 {
			return true
		}
		<-t.C
	}
	return false
}

func (a *act) String() string {
	if a.what == "" {
		return a.scenario.name
	}
	return a.scenario.name + " (" + a.what + ")"
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
