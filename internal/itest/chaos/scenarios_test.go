package chaos_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/errmap"
)

// scenario is a kind of request.
type scenario struct {
	name   string
	weight int
	make   func(*draw, *act)

	only   int  // 1, 2: only for this protocol
	http10 bool // it speaks HTTP/1.0
	last   bool // not for a pipeline: the client does not just send and receive
	where  func(*world) bool
}

func (s *scenario) fits(e *entry) bool {
	if e.burst && s.name != "left" {
		return false
	}
	return (s.only != 1 || !e.http2) && (s.only != 2 || e.http2) && !(s.last && e.pipelined) &&
		(s.where == nil || s.where(e.world))
}

var scenarios = []scenario{
	{name: "get", weight: 30, make: get},
	{name: "post", weight: 20, make: post},
	{name: "pieces", weight: 5, make: pieces, last: true},
	{name: "unread", weight: 5, make: unread},
	{name: "error", weight: 8, make: failing},
	{name: "hints", weight: 3, make: hints},
	{name: "panic", weight: 4, make: panicking},
	{name: "abort", weight: 3, make: aborting},
	{name: "late error", weight: 3, make: lateError},
	{name: "short body", weight: 2, make: shortBody},
	{name: "form", weight: 3, make: form},
	{name: "gate", weight: 8, make: throughGate},
	{name: "unclean id", weight: 2, make: uncleanID},
	{name: "retained", weight: 3, make: retained},
	{name: "HTTP/1.0", weight: 3, make: oldClient, only: 1, http10: true, last: true},

	{name: "too large", weight: 5, make: tooLarge, last: true},
	{name: "asks first", weight: 3, make: asksFirst, last: true},
	{name: "encoded", weight: 3, make: encoded},
	{name: "zip bomb", weight: 3, make: zipBomb, last: true},
	{name: "bad coding", weight: 3, make: badCoding},
	{name: "giant header", weight: 3, make: giantHeader},
	{name: "long URI", weight: 3, make: longURI},
	{name: "trickle", weight: 1, make: trickle, last: true},

	{name: "stuck", weight: 5, make: stuck},
	{name: "patient", weight: 5, make: patient},
	{name: "budget", weight: 3, make: budget},
	{name: "race", weight: 6, make: race},
	{name: "late in the response", weight: 3, make: lateResponse, where: bounded},
	{name: "stalled upload", weight: 4, make: stalledUpload, last: true},
	{name: "stalled reader", weight: 2, make: stalledReader, last: true},
	{name: "own deadlines", weight: 3, make: ownDeadlines, last: true},

	{name: "stream", weight: 4, make: stream, last: true},
	{name: "silent stream", weight: 1, make: silentStream, where: idle},
	{name: "upgrade", weight: 4, make: upgrade, only: 1, last: true},

	{name: "left", weight: 8, make: leaves, last: true},
	{name: "deaf", weight: 3, make: deaf, last: true},
	{name: "whole and busy", weight: 3, make: wholeAndBusy, last: true},
	{name: "left in the body", weight: 4, make: leavesInBody, last: true},
	{name: "left in the response", weight: 4, make: leavesInResponse, last: true},
	{name: "left full", weight: 2, make: leavesFull, last: true},
	{name: "half-closed", weight: 4, make: halfCloses, only: 1, last: true},

	{name: "left in the head", weight: 2, make: leavesInHead, only: 1, last: true},
	{name: "slow head", weight: 2, make: slowHead, only: 1, last: true},
	{name: "slowloris", weight: 1, make: slowloris, only: 1, last: true},
	{name: "malformed", weight: 2, make: malformed, only: 1, last: true},
	{name: "malformed chunk", weight: 2, make: malformedChunk, only: 1, last: true},
}

func idle(w *world) bool    { return w.stream }
func bounded(w *world) bool { return !w.stream }

// write answers with n bytes.
func (a *act) write(w http.ResponseWriter, status, n int) error {
	w.WriteHeader(status)
	_, err := io.WriteString(w, a.text(n))
	return err
}

func flush(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }

// some is the size of the first part of a response, if it has several.
const some = 100

// begin sends some of the response.
func (a *act) begin(w http.ResponseWriter) error {
	if _, err := io.WriteString(w, a.text(some)); err != nil {
		return err
	}
	return flush(w)
}

// get is an ordinary request for n bytes, in random writes and flushes.
func get(d *draw, a *act) {
	n, step := d.between(0, maxText), d.between(500, 20_000)
	if d.maybe() {
		n = d.between(0, 3000)
	}
	status := []int{200, 200, 201, 203}[d.IntN(4)]
	flushes, declares, trails := d.IntN(3) == 0, d.maybe(), d.IntN(4) == 0
	a.what = fmt.Sprintf("%d, %d bytes by %d, flushes %v, declares %v, trails %v", status, n, step, flushes, declares, trails)
	if d.IntN(8) == 0 {
		a.req.Method = http.MethodHead
		a.what += ", HEAD"
	}
	a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error {
		if declares {
			w.Header().Set("Content-Length", strconv.Itoa(n))
		} else if trails {
			w.Header().Set("Trailer", "X-Sum")
			defer w.Header().Set("X-Sum", a.id)
		}
		w.WriteHeader(status)
		for body := a.text(n); body != ""; body = body[min(step, len(body)):] {
			if _, err := io.WriteString(w, body[:min(step, len(body))]); err != nil {
				return err
			}
			if flushes {
				if err := flush(w); err != nil {
					return err
				}
			}
		}
		return nil
	}
	body := a.text(n)
	if a.req.Method == http.MethodHead {
		body = ""
	}
	a.ok(status, body)
}

// read reads the body to its end, and checks every byte.
func (a *act) read(r *http.Request) error {
	got, err := io.ReadAll(r.Body)
	if !strings.HasPrefix(a.up, string(got)) {
		a.faultf("the handler read what was not sent: %s", shortened(string(got)))
	}
	if err == nil && len(got) != len(a.up) {
		a.faultf("the handler read %d bytes of %d", len(got), len(a.up))
	}
	return err
}

// readAndWrite is the handler of an ordinary upload.
func readAndWrite(n int) func(*act, http.ResponseWriter, *http.Request) error {
	return func(a *act, w http.ResponseWriter, r *http.Request) error {
		if err := a.read(r); err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		return a.write(w, 200, n)
	}
}

func post(d *draw, a *act) {
	size, chunked, n := d.between(1, maxBody), d.maybe(), d.between(0, 3000)
	a.what = fmt.Sprintf("%d bytes, chunked %v, for %d", size, chunked, n)
	a.upload(size, chunked)
	a.handler = readAndWrite(n)
	a.ok(200, a.text(n))
	a.traffic = &traffic{size, n}
}

// pieces is an upload that is slow, but in time.
func pieces(d *draw, a *act) {
	size, pause := d.between(100, maxBody), d.ms(0, 20)
	steps := []int{d.between(1+size/10, size), d.between(1+size/10, size)}
	a.what = fmt.Sprintf("%d bytes by %v, every %v", size, steps, pause)
	a.upload(size, d.maybe())
	a.client = inPieces(steps, func() { time.Sleep(pause) })
	a.handler = readAndWrite(some)
	a.ok(200, a.text(some))
	a.traffic = &traffic{size, some}
}

// unread is an upload that the handler does not read.
func unread(d *draw, a *act) {
	size, n := d.between(1, maxBody), d.between(0, 3000)
	a.what = fmt.Sprintf("%d bytes, for %d", size, n)
	a.upload(size, d.maybe())
	a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error { return a.write(w, 200, n) }
	a.ok(200, a.text(n))
	a.traffic = &traffic{0, n}
}

func failing(d *draw, a *act) {
	var err error
	switch kind := d.IntN(5); kind {
	case 0:
		a.what, err = "mapped", fmt.Errorf("looking: %w", errMissing)
		a.failed(404, "ok")
	case 1:
		a.what, err = "a problem", &errmap.Problem{Status: http.StatusConflict}
		a.failed(409, "ok")
	case 2:
		a.what, err = "an unknown error", errBroken
		a.failed(500, "error")
	case 3:
		a.what, err = "two", errors.Join(errBroken, errMissing)
		a.failed(404, "ok")
	case 4:
		a.what = "answered already"
		a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error {
			_ = a.write(w, http.StatusTeapot, some)
			return errBroken
		}
		a.ok(http.StatusTeapot, a.text(some))
		return
	}
	headers := d.maybe()
	a.handler = func(_ *act, w http.ResponseWriter, _ *http.Request) error {
		if headers { // headers of the success that failed
			w.Header().Set("Content-Length", "70000")
			w.Header().Set("ETag", `"7"`)
		}
		return err
	}
}

// hints sends a 103 first, to the writer below those that treat it as the final status.
func hints(d *draw, a *act) {
	own := d.world.Own
	a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error {
		beneath := w
		if own {
			beneath = w.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
		}
		w.Header().Set("Link", "</style.css>; rel=preload")
		beneath.WriteHeader(http.StatusEarlyHints)
		return a.write(w, 202, some)
	}
	a.ok(202, a.text(some))
}

func panicking(d *draw, a *act) {
	begun := d.maybe()
	a.what = fmt.Sprintf("begun %v", begun)
	a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error {
		if begun {
			if err := a.begin(w); err != nil {
				return err
			}
		}
		panic("boom for " + a.id)
	}
	if begun {
		a.broken(a.text(some), "panic", 500)
	} else {
		a.failed(500, "panic")
	}
}

// aborting ends without a response, or within it.
func aborting(d *draw, a *act) {
	begun, exits := d.maybe(), d.IntN(3) == 0 && !d.world.Own // a router that pools its contexts loses one
	a.what = fmt.Sprintf("begun %v, Goexit %v", begun, exits)
	a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error {
		if begun {
			if err := a.begin(w); err != nil {
				return err
			}
		}
		if exits {
			runtime.Goexit()
		}
		panic(http.ErrAbortHandler)
	}
	if begun {
		a.broken(a.text(some), "aborted", 0)
	} else {
		a.allow(verdict{end: none, outcome: "aborted"})
	}
}

func lateError(d *draw, a *act) {
	errs := d.world.errs
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if err := a.begin(w); err != nil {
			return err
		}
		errs.Write(w, r, errBroken)
		if _, err := io.WriteString(w, "what no client may see"); err == nil {
			a.faultf("a write after the response was broken off has no error")
		}
		return nil
	}
	a.broken(a.text(some), "error", 500)
}

// shortBody declares more than it writes. On HTTP/2 only the length shows it (RFC 9113
// section 8.1.1): net/http's server ends the stream as any other.
func shortBody(d *draw, a *act) {
	n := d.between(0, 5000)
	a.what = fmt.Sprintf("%d bytes", n)
	a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Length", strconv.Itoa(n+1))
		return a.write(w, 200, n)
	}
	v := verdict{status: 200, end: cut, body: a.text(n), outcome: "short_body"}
	if d.http2 {
		v.end = whole
	}
	a.allow(v)
}
