package chaos_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

const (
	whole = raw.Whole
	cut   = raw.Cut
	reset = raw.Reset
	none  = raw.None
	left  = raw.Left
)

// act is one request of a plan: what both sides do, which endings are allowed, and how
// it ended.
type act struct {
	entry    *entry
	scenario *scenario
	id, what string // what: the parameters, in words
	req      raw.Request
	up       string // the body that is sent
	lazy     bool   // HTTP/2: the client only asks for what it must
	handler  func(a *act, w http.ResponseWriter, r *http.Request) error
	client   func(a *act, c client) raw.Answer
	allowed  []verdict

	unseen    bool // the stack must not see it
	uncertain bool // it is not certain that the server will see it
	renamed   bool // its id is not clean, and is replaced
	unrouted  bool // refused if a stack around the engine does not know the route yet
	early     bool // may be answered before the route is known

	entered  chan struct{} // closed when the handler runs
	ended    chan struct{} // when it has returned
	seen     chan struct{} // when the client has some of the response
	logged   chan struct{} // when it has a log record
	noted    chan struct{} // when there is a note that the handler ended late
	returned chan struct{} // when the stack has returned
	reached  atomic.Int32  // how often it reached the stack

	answer  raw.Answer // what the client saw
	traffic *traffic   // what the log record must have if the answer is whole, nil if that depends
	lateEnd string     // how the handler ends if it ends late, "" if that depends

	mu     sync.Mutex
	faults []string
	lines  []line
	notes  []line
	kept   chan struct{} // closed when nothing of the request is kept
}

// traffic is the number of bytes in and out.
type traffic struct{ in, out int }

// verdict is a way in which a request may end.
type verdict struct {
	status   int // on the wire; 0: nothing
	end      raw.End
	body     string // all that could come
	rest     string // what could come after that, repeated
	outcome  string
	intended int
	logged   int    // the logged status, if it is not that on the wire
	why      string // if it is not the only one
}

func newAct(e *entry, s *scenario, id string) *act {
	return &act{
		entry: e, scenario: s, id: id, client: converse,
		req:     raw.Request{Method: http.MethodGet, Path: "/act/" + id, Header: []string{"X-Request-Id: " + id}},
		entered: make(chan struct{}), ended: make(chan struct{}), seen: make(chan struct{}),
		logged: make(chan struct{}), noted: make(chan struct{}), returned: make(chan struct{}),
	}
}

// upload gives the request a body of n bytes.
func (a *act) upload(n int, chunked bool) { a.send(a.text(n), chunked) }

func (a *act) send(body string, chunked bool) {
	a.req.Method, a.req.Stalls, a.req.Length, a.up = http.MethodPost, true, len(body), body
	if chunked {
		a.req.Length = -1
	}
}

// text returns n bytes that no other request has. On the way in they look like a
// request, which would be served if the server read them as the next one.
func (a *act) text(n int) string {
	unit := a.id + "\r\n\r\nGET /smuggled/" + a.id + " HTTP/1.1\r\nHost: test\r\n\r\n"
	return strings.Repeat(unit, n/len(unit)+1)[:n]
}

// errorText is the mapper's response to an error of this request.
func errorText(id string, status int) string { return fmt.Sprintf("%d for %s\n", status, id) }

func (a *act) allow(v ...verdict) { a.allowed = append(a.allowed, v...) }

// ok allows the end of an ordinary request.
func (a *act) ok(status int, body string) {
	a.allow(verdict{status: status, end: whole, body: body, outcome: "ok"})
}

// failed allows an error response.
func (a *act) failed(status int, outcome string) {
	a.allow(verdict{status: status, end: whole, body: errorText(a.id, status), outcome: outcome})
}

// late allows the answer at a deadline. In place on HTTP/2 a reset follows it unless
// the handler returns soon (see timeout.New).
func (a *act) late(status int, why string) {
	v := verdict{status: status, end: whole, body: errorText(a.id, status), outcome: "deadline", why: why}
	if a.entry.http2 && a.entry.world.route {
		soon := v
		soon.why = "the handler was soon back"
		v.end = reset
		a.allow(soon)
	}
	a.allow(v)
}

// broken allows a response that has started and is aborted.
func (a *act) broken(body, outcome string, intended int) {
	a.allow(verdict{status: 200, end: cut, body: body, outcome: outcome, intended: intended})
}

// gone allows the ends of a request whose client does not wait for it. body is the
// response that a handler might have sent.
func (a *act) gone(body string) {
	a.unseenGone()
	a.allow(
		verdict{status: 200, end: left, body: body, outcome: "client_gone", why: "gone during the response"},
		verdict{status: 200, end: left, body: body, outcome: "ok", why: "the response was in the kernel's hands before the news came"},
	)
}

// unseenGone allows the ends of a request whose client disconnected before anything was
// sent.
func (a *act) unseenGone() {
	a.allow(
		verdict{end: left, logged: 499, outcome: "client_gone", why: "gone before anything was sent"},
		verdict{end: left, logged: 499, intended: 200, outcome: "client_gone", why: "gone before what was written was sent"},
		verdict{end: left, logged: 499, intended: 500, outcome: "client_gone", why: "gone, and the failure that came of it was answered"},
		verdict{end: left, logged: 499, intended: 400, outcome: "client_gone", why: "gone in its body, and that was answered"},
	)
	if a.entry.http2 {
		a.allow(verdict{status: 200, end: left, logged: -1, intended: 200, outcome: "client_gone", why: "a write failed that may have got the head out"})
	}
}

// maybeGone allows the ends of a connection that breaks at any time.
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
			v.intended, v.why = 500, "the same, and the handler returned the failure before the reason was known"
			a.allow(v)
			v.logged = 0
			a.allow(v)
		}
		v.status, v.intended, v.logged, v.why = 0, v.status, 499, "the connection broke before what was written was sent"
		a.allow(v)
	}
	a.unseenGone()
}

// maybeReset adds the endings of a response that is lost in part or as a whole because
// a later one is aborted.
func (a *act) maybeReset() {
	for _, v := range a.allowed {
		if v.logged == 0 {
			v.logged = cmp.Or(v.status, -1)
		}
		v.end, v.why = cut, "a later response was aborted, which reset the connection"
		a.allow(v)
		v.status, v.body, v.rest, v.end = 0, "", "", none
		a.allow(v)
	}
}

// expectsNothing reports whether the client may get no response.
func (a *act) expectsNothing() bool {
	return slices.ContainsFunc(a.allowed, func(v verdict) bool { return v.end == none })
}

// unserved declares that an earlier answer ended the connection.
func (a *act) unserved() {
	a.unseen, a.uncertain = true, true
	a.answer.End = none
	a.allowed = []verdict{{end: none}}
}

// retain declares that something of the request is kept until the channel is closed.
func (a *act) retain() chan<- struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept = make(chan struct{})
	return a.kept
}

// play runs the client.
func (a *act) play(c client) { a.answer = a.client(a, c) }

// faultf reports a fault that no allowed end explains.
func (a *act) faultf(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// await waits for something that must happen.
func (a *act) await(ch <-chan struct{}, what string) bool {
	return a.awaitUnless(nil, ch, what)
}

// awaitOn is await, unless the connection is known to have ended.
func (a *act) awaitOn(c client, ch <-chan struct{}, what string) {
	a.awaitUnless(c.broken(), ch, what)
}

func (a *act) awaitUnless(broken, ch <-chan struct{}, what string) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-ch:
		return true
	case <-broken:
		return true
	case <-t.C:
		a.faultf("timed out waiting for %s", what)
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
