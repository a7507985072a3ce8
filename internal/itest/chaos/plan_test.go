package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// entry is a connection and its requests.
type entry struct {
	n         int
	world     *world
	http2     bool
	pipelined bool          // HTTP/1: all requests at once, the answers after that
	burst     bool          // HTTP/2: all are reset at once
	dropped   time.Duration // HTTP/2: when the connection breaks with all its streams; 0: never
	away      time.Duration // HTTP/2: when the client sends GOAWAY; 0: never
	acts      []*act
}

// burst is the largest number of requests of an entry.
const burst = 12

// plan is an entry of a seed. It depends only on seed and n, so that a fault can be
// reproduced. round only distinguishes the ids of one run of an entry from those of the
// next.
func plan(seed uint64, n, round int, worlds []*world) *entry {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	e := &entry{n: n, world: worlds[r.IntN(len(worlds))], http2: r.IntN(2) == 0}
	count := 1 + r.IntN(4)
	switch {
	case e.http2 && r.IntN(20) == 0:
		count, e.burst = burst, true
	case e.http2:
		count = 1 + r.IntN(8)
		switch r.IntN(10) {
		case 0:
			e.away = time.Duration(1+r.IntN(30_000)) * time.Microsecond
		case 1:
			e.dropped = time.Duration(1+r.IntN(60_000)) * time.Microsecond
		}
	case r.IntN(6) == 0:
		count, e.pipelined = 2+r.IntN(6), true
	}
	for i := range count {
		e.acts = append(e.acts, e.draw(r, fmt.Sprintf("c%d-%d-%d", seed, round, i)))
	}
	return e
}

// draw makes an act of a scenario that fits.
func (e *entry) draw(r *rand.Rand, id string) *act {
	total := 0
	for i := range scenarios {
		if scenarios[i].fits(e) {
			total += scenarios[i].weight
		}
	}
	left := r.IntN(total)
	for i := range scenarios {
		s := &scenarios[i]
		if !s.fits(e) {
			continue
		}
		if left -= s.weight; left < 0 {
			a := newAct(e, s, id)
			s.make(&draw{Rand: r, entry: e}, a)
			if e.dropped > 0 {
				a.maybeGone()
			}
			if e.away > 0 {
				a.uncertain = true // the server takes no new stream then
				if a.unseen {
					a.allow(verdict{end: none})
				}
			}
			return a
		}
	}
	panic("unreachable")
}

// draw makes the choices of a scenario.
type draw struct {
	*rand.Rand
	*entry
}

// between is a number from lo to hi.
func (d *draw) between(lo, hi int) int { return lo + d.IntN(hi-lo+1) }

func (d *draw) ms(lo, hi int) time.Duration {
	return time.Duration(d.between(lo*1000, hi*1000)) * time.Microsecond
}

func (d *draw) maybe() bool { return d.IntN(2) == 0 }

func (e *entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "entry %d: %s, HTTP/%s", e.n, e.world.name, e.proto())
	if e.pipelined {
		b.WriteString(", pipelined")
	}
	if e.burst {
		b.WriteString(", a burst")
	}
	if e.away > 0 {
		fmt.Fprintf(&b, ", goes away after %v", e.away)
	}
	if e.dropped > 0 {
		fmt.Fprintf(&b, ", dropped after %v", e.dropped)
	}
	for _, a := range e.acts {
		fmt.Fprintf(&b, "; %v", a)
	}
	return b.String()
}

func (e *entry) proto() string {
	if e.http2 {
		return "2"
	}
	return "1.1"
}

// play plays the entry.
func (e *entry) play() {
	switch {
	case e.http2:
		e.playStreams()
	case e.pipelined:
		e.playPipeline()
	default:
		e.playInTurn()
	}
}

// playInTurn sends one request at a time, on a new connection if the old one has
// ended.
func (e *entry) playInTurn() {
	var conn *http1
	for _, a := range e.acts {
		kept := conn != nil && !conn.Closed
		if !kept {
			if conn = dialHTTP1(e); conn == nil {
				return
			}
		}
		a.play(conn)
		if kept && a.answer.End == none && a.reached.Load() == 0 && !a.expectsNothing() {
			// The server may close a connection after any response. Clients then send
			// the request again (RFC 9112, section 9.3.1).
			_ = conn.Close()
			if conn = dialHTTP1(e); conn == nil {
				return
			}
			a.play(conn)
		}
		if conn.Closed || a.answer.End != whole {
			conn.Closed = true
			_ = conn.Close()
		}
	}
	e.awaitLast()
	_ = conn.Close()
}

// awaitLast is for a client that is about to close. The last byte of a response with a
// length may come before the handler returns, and if the client closes at once the
// server does not know that the client has it.
func (e *entry) awaitLast() {
	if last := e.acts[len(e.acts)-1]; last.reached.Load() > 0 {
		last.await(last.returned, "the stack's return")
	}
}

// playPipeline sends all requests at once. Requests behind one whose answer ends the
// connection must not be served.
func (e *entry) playPipeline() {
	conn := dialHTTP1(e)
	if conn == nil {
		return
	}
	defer conn.Close()
	conn.held = new(strings.Builder)
	for _, a := range e.acts {
		_ = conn.begin(a)
		_ = conn.send(a.up, true)
	}
	conn.release()
	for i, a := range e.acts {
		if e.mayBreak(i) {
			a.maybeReset()
		}
		switch {
		case !conn.Closed:
			conn.a = a
			a.answer = conn.receive(toTheEnd)
		case e.mayBreak(i):
			a.uncertain = true
			a.answer.End = none
		default:
			a.unserved()
		}
	}
	e.awaitLast()
}

// mayBreak reports whether the response to act n or to a later one may be aborted.
// net/http then closes the connection at once. What it has not read resets the
// connection, and that takes away what the client has not received of the responses
// before.
func (e *entry) mayBreak(n int) bool {
	return slices.ContainsFunc(e.acts[n:], func(a *act) bool {
		return a.expectsNothing() || slices.ContainsFunc(a.allowed, func(v verdict) bool { return v.end == cut })
	})
}

// playStreams sends all requests at the same time.
func (e *entry) playStreams() {
	conn := dialHTTP2(e)
	if conn == nil {
		return
	}
	defer conn.Close()
	if e.away > 0 {
		goes := time.AfterFunc(e.away, func() { _ = conn.GoAway() })
		defer goes.Stop()
	}
	if e.dropped > 0 {
		drop := time.AfterFunc(e.dropped, func() { _ = conn.Close() })
		defer drop.Stop()
	}
	var streams sync.WaitGroup
	for _, a := range e.acts {
		streams.Go(func() {
			a.play(&http2{HTTP2: conn})
			if e.dropped > 0 && a.answer.End != whole {
				a.answer.End = left
			}
		})
	}
	streams.Wait()
	conn.Sync() // a client that closes before it has read everything may reset what it sent
}

// TestPlan: a plan depends only on its seed.
func TestPlan(t *testing.T) {
	worlds := []*world{{place: places[0]}, {place: places[4]}, {place: places[8]}}
	for i := range worlds {
		worlds[i].name = worlds[i].place.Name
	}
	differ := false
	for n := range 200 {
		one := plan(7, n, n, worlds).String()
		assert.Equal(t, one, plan(7, n, n, worlds).String())
		differ = differ || one != plan(8, n, n, worlds).String()
	}
	assert.True(t, differ)
}
