package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// nears sets a near deadline. It returns whether there still is one.
func (a *act) nears(r *http.Request, d time.Duration) bool {
	_, err := timeout.Reset(r.Context(), d)
	if err != nil && r.Context().Err() == nil {
		a.faultf("bringing the deadline near: %v", err)
	}
	return err == nil
}

// expired checks a context that has ended by the deadline, or by the client.
func (a *act) expired(ctx context.Context) error {
	<-ctx.Done()
	var byDeadline *timeout.Error
	switch cause := context.Cause(ctx); {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.As(cause, &byDeadline):
	case errors.Is(ctx.Err(), context.Canceled) && errors.Is(cause, timeout.ErrClientGone):
	default:
		a.faultf("the context has ended with %v because of %v", ctx.Err(), cause)
	}
	return ctx.Err()
}

// mischief uses everything of a request after its deadline.
func (a *act) mischief(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Late", "what no client may see")
	r.Header.Set("X-Late", "the same")
	r.URL.Path = "/late"
	if _, err := io.WriteString(w, "what no client may see"); err == nil {
		a.faultf("a write after the deadline has no error")
	}
	_ = flush(w)
	logging.Logger(r.Context())
}

// stuck is a handler that ignores its context for a while.
func stuck(d *draw, a *act) {
	limit, then, how, own := d.ms(1, 60), d.ms(0, 100), d.IntN(4), d.world.Own
	if own && how == 3 {
		how = 0
	}
	a.what = fmt.Sprintf("%v, then %v, ends %d", limit, then, how)
	a.lateEnd = []string{"ok", "panic", "ok", "aborted"}[how]
	if d.maybe() {
		a.upload(d.between(1, maxBody), d.maybe())
	}
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("ETag", `"7"`)
		if !a.nears(r, limit) {
			return r.Context().Err()
		}
		a.await(a.logged, "the log record of a deadline")
		time.Sleep(then)
		w.WriteHeader(http.StatusTeapot)
		a.mischief(w, r)
		switch how {
		case 1:
			panic("too late for " + a.id)
		case 2:
			return errBroken
		case 3:
			panic(http.ErrAbortHandler)
		}
		return nil
	}
	a.late(504, "")
}

// patient is a handler that returns when its context has ended.
func patient(d *draw, a *act) {
	limit, overrides, errs := d.ms(1, 60), d.maybe(), d.world.errs
	a.what = fmt.Sprintf("%v, overrides %v", limit, overrides)
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if overrides {
			timeout.Override(limit)(errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
				return a.expired(r.Context())
			})).ServeHTTP(w, r)
			return nil
		}
		if !a.nears(r, limit) {
			return r.Context().Err()
		}
		return a.expired(r.Context())
	}
	a.late(504, "")
}

// budget is a request with a caller's budget.
func budget(d *draw, a *act) {
	ms := d.between(0, 60)
	a.what = fmt.Sprintf("%d ms", ms)
	a.req.Set("X-Request-Timeout-Ms", strconv.Itoa(ms))
	a.handler = func(a *act, _ http.ResponseWriter, r *http.Request) error { return a.expired(r.Context()) }
	if ms == 0 {
		a.unrouted = true
		a.failed(504, "refused")
		return
	}
	a.early = true
	a.late(504, "")
}

// race is a handler that returns at the deadline.
func race(d *draw, a *act) {
	limit, off := d.ms(5, 30), d.ms(-2, 2)
	n, flushes := d.between(0, 3000), d.maybe()
	a.what = fmt.Sprintf("%v%+v, %d bytes, flushes %v", limit, off, n, flushes)
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if !a.nears(r, limit) {
			return r.Context().Err()
		}
		time.Sleep(limit + off)
		err := a.write(w, 200, n)
		if err == nil && flushes {
			err = flush(w)
		}
		return err
	}
	a.ok(200, a.text(n))
	a.late(504, "the deadline was first")
	begun := verdict{status: 200, end: cut, body: a.text(n), outcome: "deadline", why: "the deadline came during the response"}
	unsent := verdict{end: none, outcome: "deadline", intended: 200, logged: -1, why: "the deadline came when nothing was handed out yet"}
	a.allow(begun, unsent)
	if n > 3<<10 && n <= 6<<10 && !d.http2 {
		begun.intended, begun.logged, begun.why = 200, -1, "the same, but it is not known whether net/http's second buffer ran over"
		a.allow(begun)
	}
	if d.http2 {
		begun.intended, begun.logged, begun.why = 200, -1, "the deadline broke the write that sent the head"
		a.allow(begun)
	}
}

// lateResponse is a response that takes too long.
func lateResponse(d *draw, a *act) {
	limit := d.ms(1, 60)
	a.what = limit.String()
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if err := a.begin(w); err != nil {
			return err
		}
		if !a.nears(r, limit) {
			return r.Context().Err()
		}
		a.await(a.logged, "the log record of a deadline")
		a.mischief(w, r)
		return nil
	}
	a.broken(a.text(some), "deadline", 0)
}

// stalledUpload is a client that stops in its body.
func stalledUpload(d *draw, a *act) {
	size, chunked, limit, waits := d.between(2, maxBody), d.maybe(), d.ms(1, 60), d.maybe()
	sent := d.between(1, size-1)
	a.what = fmt.Sprintf("%d bytes of %d, chunked %v, %v, waits %v", sent, size, chunked, limit, waits)
	a.upload(size, chunked)
	a.client = func(a *act, c client) raw.Answer {
		if c.begin(a) == nil {
			_ = c.send(a.up[:sent], false)
		}
		return c.receive(a.notices)
	}
	a.handler = func(a *act, _ http.ResponseWriter, r *http.Request) error {
		if _, err := io.ReadFull(r.Body, make([]byte, sent)); err != nil {
			return err
		}
		if !a.nears(r, limit) {
			return r.Context().Err()
		}
		n, err := r.Body.Read(make([]byte, 1))
		if n > 0 || err == nil {
			a.faultf("the handler read %d bytes more than were sent, %v", n, err)
		}
		if waits {
			a.await(a.logged, "the log record of a deadline")
		}
		return err
	}
	a.late(408, "")
	a.late(504, "it was late before the handler read on")
}

// full is more than the buffers between a server and its client hold.
const full = 12 << 20

// fill writes until the client reads no more.
func (a *act) fill(w http.ResponseWriter) error {
	text := []byte(a.text(maxText))
	for range full / maxText {
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	a.faultf("a client that does not read has taken %d bytes", full)
	return nil
}

// readsLate is a client that reads nothing of the response before the request has ended
// for the server.
func (a *act) readsLate() {
	a.lazy = true
	a.client = func(a *act, c client) raw.Answer {
		_ = c.begin(a)
		a.awaitOn(c, a.logged, "the record of the request")
		ask(c)
		return c.receive(a.notices)
	}
}

// stalledReader reads nothing of the response before the deadline, or with an idle limit
// for too long.
func stalledReader(d *draw, a *act) {
	limit := d.ms(100, 200)
	a.what = limit.String()
	a.readsLate()
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if err := a.begin(w); err != nil {
			return err
		}
		if !a.nears(r, limit) {
			return r.Context().Err()
		}
		return a.fill(w)
	}
	a.allow(verdict{status: 200, end: cut, body: a.text(some), rest: a.text(maxText), outcome: "deadline"})
}

// ownDeadlines is a handler that sets its own deadline for a client that does not read,
// or does not send.
func ownDeadlines(d *draw, a *act) {
	limit, reads := d.ms(10, 60), d.maybe()
	a.what = fmt.Sprintf("%v, reads %v", limit, reads)
	if reads {
		a.upload(some, d.maybe())
		a.client = func(a *act, c client) raw.Answer {
			if c.begin(a) == nil {
				_ = c.send(a.up[1:], false)
			}
			return c.receive(a.notices)
		}
		a.handler = func(_ *act, w http.ResponseWriter, r *http.Request) error {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit))
			_, err := io.Copy(io.Discard, r.Body)
			return err
		}
		a.failed(408, "ok") // the client's body was late
		return
	}
	a.readsLate()
	a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error {
		if err := a.begin(w); err != nil {
			return err
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit))
		return a.fill(w)
	}
	v := verdict{status: 200, end: cut, body: a.text(some), rest: a.text(maxText), outcome: "write_timeout"}
	a.allow(v)
	v.intended, v.why = 504, "the failure came after the head"
	a.allow(v)
}

// throughGate is a request through a gate that admits few at a time.
func throughGate(d *draw, a *act) {
	world, takes := d.world, d.ms(0, 300)
	a.what = takes.String()
	inner := func(w http.ResponseWriter, _ *http.Request) error {
		if n := world.gate.inside.Add(1); n > gateRooms {
			a.faultf("%d at a time in the gate", n)
		}
		defer world.gate.inside.Add(-1)
		time.Sleep(takes)
		return a.write(w, 200, some)
	}
	a.handler = func(_ *act, w http.ResponseWriter, r *http.Request) error {
		world.gate.Middleware(world.errs.Handler(inner)).ServeHTTP(w, r)
		return nil
	}
	a.ok(200, a.text(some))
	a.failed(503, "refused")
}

// uncleanID is a request whose id is replaced.
func uncleanID(d *draw, a *act) {
	a.renamed = true
	a.req.Set("X-Request-Id", []string{a.id + " and more", a.id + "\x80", ""}[d.IntN(3)])
	a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error { return a.write(w, 200, some) }
	a.ok(200, a.text(some))
}

// retained keeps the body after the request, and on net/http the writer.
func retained(d *draw, a *act) {
	size, own := d.between(2, maxBody), d.world.Own
	a.upload(size, d.maybe())
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if _, err := io.ReadFull(r.Body, make([]byte, 1)); err != nil {
			return err
		}
		body, done := r.Body, a.retain()
		go func() {
			defer close(done)
			a.await(a.returned, "the stack's return")
			if n, err := body.Read(make([]byte, 100)); n > 0 || err == nil {
				a.faultf("%d bytes of a body after its request, %v", n, err)
			}
			if own {
				return // the framework uses its writer again
			}
			if _, err := io.WriteString(w, "what no client may see"); err == nil {
				a.faultf("a write after the request has no error")
			}
		}()
		return a.write(w, 200, some)
	}
	a.ok(200, a.text(some))
}
