package chaos_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/bulwark-go/bulwark/examples/internal/wire"
)

// leaves is a client that does not wait for its answer.
func leaves(d *draw, a *act) {
	atOnce, hard, waits, n := d.burst || d.maybe(), d.maybe(), d.maybe(), d.between(0, 10_000)
	a.what = fmt.Sprintf("at once %v, hard %v; the handler waits %v, writes %d bytes", atOnce, hard, waits, n)
	a.uncertain = atOnce
	then := d.ms(0, 10)
	a.client = func(a *act, c client) wire.Answer {
		_ = c.begin(a)
		if !atOnce {
			select {
			case <-a.entered:
			case <-c.broken():
			}
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
		a.allow(verdict{end: left, logged: 499, outcome: "client_gone"})
	} else {
		a.gone(a.text(n))
	}
}

// deaf is a handler that goes on although its client has left, with a response
// that it has begun or not.
func deaf(d *draw, a *act) {
	begun, hard, then, fails := d.maybe(), d.maybe(), d.ms(0, 250), d.maybe()
	a.what = fmt.Sprintf("begun %v, hard %v, for %v, panics %v", begun, hard, then, fails)
	a.client = func(a *act, c client) wire.Answer {
		_ = c.begin(a)
		if begun {
			return a.first(c, hard)
		}
		select {
		case <-a.entered:
		case <-c.broken():
		}
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
		r.Header.Set("X-Late", "what nobody may see")
		w.Header().Set("X-Late", "what nobody may see")
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
	if fails {
		v.outcome, v.logged, v.why = "panic", -1, "the panic was before the farewell was over"
		if begun {
			v.logged = 0
		}
		a.allow(v)
	}
}

// wholeAndBusy has answered all that there is to answer, and still has something
// to do: to its client, which may go, that is a response like any other.
func wholeAndBusy(d *draw, a *act) {
	head, then, goes := d.maybe(), d.ms(0, 250), d.maybe()
	a.what = fmt.Sprintf("HEAD %v, for %v, the client goes %v", head, then, goes)
	if head {
		a.req.Method = http.MethodHead
	}
	a.client = func(a *act, c client) wire.Answer {
		_ = c.begin(a)
		got := c.receive(a.notices)
		if conn, ok := c.(*http1); ok && goes {
			c.leave(false)
			conn.Closed = true
		}
		return got
	}
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		defer context.AfterFunc(r.Context(), func() {})() // it wants to know, and goes on
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

// leavesInBody is a client that leaves while it sends.
func leavesInBody(d *draw, a *act) {
	size, chunked, hard, half := d.between(2, maxBody), d.maybe(), d.maybe(), !d.http2 && d.IntN(3) == 0
	sent := d.between(0, size-1)
	a.what = fmt.Sprintf("%d bytes of %d, chunked %v, hard %v, half %v", sent, size, chunked, hard, half)
	a.uncertain = !half
	a.upload(size, chunked)
	a.client = func(a *act, c client) wire.Answer {
		if c.begin(a) == nil && sent > 0 {
			_ = c.send(a.up[:sent], false)
		}
		if half {
			_ = c.(*http1).Conn.(*net.TCPConn).CloseWrite()
			return c.receive(a.notices)
		}
		return c.leave(hard)
	}
	a.handler = readAndWrite(some)
	v := verdict{end: left, logged: 499, outcome: "client_gone"}
	if half {
		v.end = none
	}
	a.allow(v)
}

// goesOn writes until the client has left.
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

// first is a client that has enough when something of the body has come.
func (a *act) first(c client, hard bool) wire.Answer {
	got := c.receive(func(_, received int) bool { return received == 0 })
	if got.End == left {
		c.leave(hard)
	}
	return got
}

// leavesInResponse is a client that leaves when the response has begun.
func leavesInResponse(d *draw, a *act) {
	hard := d.maybe()
	a.what = fmt.Sprintf("hard %v", hard)
	a.client = func(a *act, c client) wire.Answer {
		_ = c.begin(a)
		return a.first(c, hard)
	}
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error { return a.goesOn(w, r) }
	a.allow(verdict{status: 200, end: left, body: a.text(some), rest: a.text(maxText), outcome: "client_gone"})
}

// leavesFull is a client that does not read, and then leaves.
func leavesFull(d *draw, a *act) {
	after, hard := d.ms(0, 50), d.maybe()
	a.what = fmt.Sprintf("after %v, hard %v", after, hard)
	a.lazy = true
	a.client = func(a *act, c client) wire.Answer {
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
	a.allow(verdict{status: 200, end: left, body: a.text(some), rest: a.text(maxText), outcome: "client_gone"})
}

// halfCloses says that it sends no more, and waits for its answer. Nothing tells
// that from leaving: net/http's server cancels the context, and the line says
// client_gone, where the news comes before the response is complete.
func halfCloses(d *draw, a *act) {
	waits, size, n, then := d.IntN(3) == 0, d.between(0, maxBody), d.between(0, 3000), d.ms(0, 5)
	a.what = fmt.Sprintf("%d bytes, for %d, waits %v", size, n, waits)
	if size > 0 {
		a.upload(size, d.maybe())
	}
	a.client = func(a *act, c client) wire.Answer {
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
		a.allow(verdict{end: none, logged: 499, outcome: "client_gone"})
		return
	}
	a.ok(200, a.text(n))
	gone := verdict{status: 200, end: whole, body: a.text(n), outcome: "client_gone", why: "it was taken to have left during the response"}
	a.allow(gone)
	gone.logged, gone.intended, gone.why = 499, 200, "it was taken to have left before that"
	a.allow(gone)
}
