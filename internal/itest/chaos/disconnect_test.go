package chaos_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

// leaves is a client that does not wait for its answer.
func leaves(d *draw, a *act) {
	atOnce, hard, waits, n := d.burst || d.maybe(), d.maybe(), d.maybe(), d.between(0, 10_000)
	a.what = fmt.Sprintf("at once %v, hard %v; the handler waits %v, writes %d bytes", atOnce, hard, waits, n)
	a.uncertain = atOnce
	then := d.ms(0, 10)
	a.client = func(a *act, c client) raw.Answer {
		_ = c.begin(a)
		if !atOnce {
			a.awaitOn(c, a.entered, "the handler")
		}
		return c.leave(hard)
	}
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if waits {
			return a.expired(r.Context())
		}
		time.Sleep(then)
		return a.write(w, 200, n)
	}
	if waits {
		a.allow(verdict{end: left, logged: 499, intended: 500, outcome: "client_gone"})
	} else {
		a.gone(a.text(n))
	}
}

// deaf is a handler that continues although its client has disconnected, with a
// response that has started or not.
func deaf(d *draw, a *act) {
	begun, hard, then, fails := d.maybe(), d.maybe(), d.ms(0, 250), d.maybe()
	a.what = fmt.Sprintf("begun %v, hard %v, for %v, panics %v", begun, hard, then, fails)
	a.client = func(a *act, c client) raw.Answer {
		_ = c.begin(a)
		if begun {
			return a.first(c, hard)
		}
		a.awaitOn(c, a.entered, "the handler")
		return c.leave(hard)
	}
	a.lateEnd = "ok"
	if fails {
		a.lateEnd = "panic"
	}
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if begun {
			if err := a.begin(w); err != nil {
				return err
			}
		}
		<-r.Context().Done()
		time.Sleep(then)
		r.Header.Set("X-Late", "what no client may see")
		w.Header().Set("X-Late", "what no client may see")
		if fails {
			panic("too late for " + a.id)
		}
		return errBroken
	}
	v := verdict{status: 200, end: left, body: a.text(some), outcome: "client_gone"}
	if !begun {
		v.status, v.body, v.logged = 0, "", 499
	}
	a.allow(v)
	if !begun {
		answered := v
		answered.intended, answered.why = 500, "the handler returned within the grace period, and its failure was answered"
		a.allow(answered)
	}
	if begun && d.http2 {
		a.allow(verdict{status: 200, end: left, body: v.body, logged: -1, intended: 200, outcome: v.outcome, why: "the client had left before the flush returned"})
	}
	if fails {
		v.outcome, v.logged, v.why = "panic", -1, "the panic was within the grace period"
		if begun {
			ending := v
			ending.logged, ending.why = 0, "the grace period ended between the panic and its response"
			a.allow(ending)
			v.logged, v.intended = 0, 500
		} else {
			answered := v
			answered.logged, answered.why = 500, "the same, and it was answered"
			a.allow(answered)
		}
		a.allow(v)
	}
}

// wholeAndBusy has sent its complete response and is still running. For its client,
// which may disconnect, that is a response like any other.
func wholeAndBusy(d *draw, a *act) {
	head, then, goes := d.maybe(), d.ms(0, 250), d.maybe()
	a.what = fmt.Sprintf("HEAD %v, for %v, the client goes %v", head, then, goes)
	if head {
		a.req.Method = http.MethodHead
	}
	a.client = func(a *act, c client) raw.Answer {
		_ = c.begin(a)
		got := c.receive(a.notices)
		if conn, ok := c.(*http1); ok && goes {
			c.leave(false)
			conn.Closed = true
		}
		return got
	}
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		defer context.AfterFunc(r.Context(), func() {})() // it only watches
		w.Header().Set("Content-Length", strconv.Itoa(some))
		if err := a.begin(w); err != nil {
			return err
		}
		time.Sleep(then)
		return nil
	}
	if head {
		a.ok(200, "")
	} else {
		a.ok(200, a.text(some))
	}
}

// leavesInBody is a client that disconnects while it sends.
func leavesInBody(d *draw, a *act) {
	size, chunked, hard, half := d.between(2, maxBody), d.maybe(), d.maybe(), !d.http2 && d.IntN(3) == 0
	sent := d.between(0, size-1)
	a.what = fmt.Sprintf("%d bytes of %d, chunked %v, hard %v, half %v", sent, size, chunked, hard, half)
	a.uncertain = !half
	a.upload(size, chunked)
	a.client = func(a *act, c client) raw.Answer {
		if c.begin(a) == nil && sent > 0 {
			_ = c.send(a.up[:sent], false)
		}
		if half {
			conn := c.(*http1)
			_ = conn.Conn.(*net.TCPConn).CloseWrite()
			got := c.receive(a.notices)
			conn.Closed = true // no other request can follow
			return got
		}
		return c.leave(hard)
	}
	a.handler = readAndWrite(some)
	// A body that ends early is the client's fault, and gets an answer.
	v := verdict{end: left, logged: 499, intended: 400, outcome: "client_gone"}
	if half {
		v.status, v.end, v.body = 400, whole, errorText(a.id, 400)
	}
	a.allow(v)
	if d.http2 {
		a.allow(verdict{status: 400, end: left, body: errorText(a.id, 400), outcome: "ok", why: "the answer was out before the news came"})
	}
}

// goesOn writes until the client has disconnected.
func (a *act) goesOn(w http.ResponseWriter, r *http.Request) error {
	if err := a.begin(w); err != nil {
		return err
	}
	text := []byte(a.text(maxText))
	for r.Context().Err() == nil {
		if _, err := w.Write(text); err != nil {
			return err
		}
		if err := flush(w); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return r.Context().Err()
}

// first is a client that stops when some of the body has come.
func (a *act) first(c client, hard bool) raw.Answer {
	got := c.receive(func(_, received int) bool { return received == 0 })
	if got.End == left {
		c.leave(hard)
	}
	return got
}

// leftInResponse allows the endings of a response that the client leaves.
func (a *act) leftInResponse(d *draw) {
	v := verdict{status: 200, end: left, body: a.text(some), rest: a.text(maxText), outcome: "client_gone"}
	a.allow(v)
	if d.http2 {
		v.intended, v.logged, v.why = 200, -1, "the client had left before the first flush returned"
		a.allow(v)
	}
}

// leavesInResponse is a client that disconnects when the response has started.
func leavesInResponse(d *draw, a *act) {
	hard := d.maybe()
	a.what = fmt.Sprintf("hard %v", hard)
	a.client = func(a *act, c client) raw.Answer {
		_ = c.begin(a)
		return a.first(c, hard)
	}
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error { return a.goesOn(w, r) }
	a.leftInResponse(d)
}

// leavesFull is a client that does not read, and then disconnects.
func leavesFull(d *draw, a *act) {
	after, hard := d.ms(0, 50), d.maybe()
	a.what = fmt.Sprintf("after %v, hard %v", after, hard)
	a.lazy = true
	a.client = func(a *act, c client) raw.Answer {
		_ = c.begin(a)
		got := c.receive(func(_, received int) bool { return received == 0 })
		time.Sleep(after)
		if got.End == left {
			c.leave(hard)
		}
		return got
	}
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if err := a.begin(w); err != nil {
			return err
		}
		return a.fill(w)
	}
	a.leftInResponse(d)
}

// halfCloses ends its half of the connection, and waits for its answer, which it gets.
// The server cannot distinguish it from a disconnect: it cancels the context, and the
// log record says client_gone if that happens before the response is complete.
func halfCloses(d *draw, a *act) {
	waits, size, n, then := d.IntN(3) == 0, d.between(0, maxBody), d.between(0, 3000), d.ms(0, 5)
	a.what = fmt.Sprintf("%d bytes, for %d, waits %v", size, n, waits)
	if size > 0 {
		a.upload(size, d.maybe())
	}
	a.client = func(a *act, c client) raw.Answer {
		if c.begin(a) == nil && a.req.Stalls {
			_ = c.send(a.up, true)
		}
		conn := c.(*http1)
		_ = conn.Conn.(*net.TCPConn).CloseWrite()
		got := c.receive(a.notices)
		conn.Closed = true
		return got
	}
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if err := a.read(r); err != nil {
			return err
		}
		if waits {
			return a.expired(r.Context())
		}
		time.Sleep(then)
		return a.write(w, 200, n)
	}
	if waits {
		a.allow(verdict{status: 500, end: whole, body: errorText(a.id, 500), logged: 499, intended: 500, outcome: "client_gone"})
		return
	}
	a.ok(200, a.text(n))
	gone := verdict{status: 200, end: whole, body: a.text(n), outcome: "client_gone", why: "it was taken to have left during the response"}
	a.allow(gone)
	gone.logged, gone.intended, gone.why = 499, 200, "it was taken to have left before that"
	a.allow(gone)
}
