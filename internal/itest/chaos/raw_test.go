package chaos_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

// Requests that are malformed or incomplete.

// oldClient speaks HTTP/1.0, where the end of the connection may end a response, so that
// only a reset shows that it is incomplete.
func oldClient(d *draw, a *act) {
	n, fails, flushes := d.between(1, 5000), d.maybe(), d.maybe()
	a.what = fmt.Sprintf("%d bytes, flushes %v, fails %v", n, flushes, fails)
	errs := d.world.errs
	a.client = func(a *act, c client) raw.Answer {
		conn := c.(*http1)
		conn.a, conn.Closed = a, true
		_ = conn.put(a.req.Head("1.0"))
		got := c.receive(a.notices)
		conn.Closed = true
		return got
	}
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		err := a.write(w, 200, n)
		if err == nil && (flushes || fails) {
			err = flush(w)
		}
		if err == nil && fails {
			errs.Write(w, r, errBroken)
		}
		return err
	}
	if fails {
		a.broken(a.text(n), "error", 500)
	} else {
		a.ok(200, a.text(n))
	}
}

// leavesInHead is a client that disconnects in the head of its request.
func leavesInHead(d *draw, a *act) {
	head, hard := a.req.Head("1.1"), d.maybe()
	sent := d.between(0, len(head)-1)
	a.what = fmt.Sprintf("%d bytes of %d, hard %v", sent, len(head), hard)
	a.unseen, a.uncertain = true, true
	a.client = func(_ *act, c client) raw.Answer {
		_ = c.(*http1).put(head[:sent])
		return c.leave(hard)
	}
	a.handler = readAndWrite(some)
	a.allow(verdict{end: left})
}

// slowHead sends its head slowly, but in time.
func slowHead(d *draw, a *act) {
	head, pause := a.req.Head("1.1"), d.ms(0, 20)
	step := d.between(10, len(head))
	a.what = fmt.Sprintf("%d bytes every %v", step, pause)
	a.client = func(a *act, c client) raw.Answer {
		conn := c.(*http1)
		conn.a = a
		for rest := head; rest != ""; rest = rest[min(step, len(rest)):] {
			_ = conn.put(rest[:min(step, len(rest))])
			time.Sleep(pause)
		}
		return c.receive(a.notices)
	}
	a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error { return a.write(w, 200, some) }
	a.ok(200, a.text(some))
}

// slowloris never ends its head.
func slowloris(d *draw, a *act) {
	pause := d.ms(20, 100)
	a.what = pause.String()
	a.unseen = true
	a.client = func(a *act, c client) raw.Answer {
		conn := c.(*http1)
		conn.a = a
		_ = conn.put(strings.TrimSuffix(a.req.Head("1.1"), "\r\n") + "X-Slow: ")
		done, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			t := time.NewTicker(pause)
			defer t.Stop()
			for conn.put("x") == nil {
				select {
				case <-t.C:
				case <-done:
					return
				}
			}
		}()
		defer func() { close(done); <-stopped }()
		return c.receive(a.notices)
	}
	a.handler = readAndWrite(some)
	a.allow(verdict{end: none})
}

// malformed is a request that net/http refuses by itself.
func malformed(d *draw, a *act) {
	kinds := []struct {
		what, head string
		status     int
		body       string
	}{
		{"two hosts", "GET %s HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "400 Bad Request"},
		{"no host", "GET %s HTTP/1.1\r\n\r\n", 400, "400 Bad Request: missing required Host header"},
		{"two lengths", "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12", 400, "400 Bad Request"},
		{"a bad name", "GET %s HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n", 400, "400 Bad Request: invalid header name"},
		{"an unknown coding", "POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "Unsupported transfer encoding"},
		{"an unknown version", "GET %s HTTP/3.1\r\nHost: a\r\n\r\n", 505, "505 HTTP Version Not Supported: unsupported protocol version"},
		{"no request", "\x16\x03\x01%s\r\n\r\n", 400, "400 Bad Request"},
	}
	k := kinds[d.IntN(len(kinds))]
	a.what = k.what
	a.unseen = true
	a.client = func(a *act, c client) raw.Answer {
		conn := c.(*http1)
		conn.a = a
		_ = conn.put(fmt.Sprintf(k.head, a.req.Path))
		return c.receive(a.notices)
	}
	a.handler = readAndWrite(some)
	a.allow(verdict{status: k.status, end: whole, body: k.body})
}

// malformedChunk breaks the framing in the middle of a body.
func malformedChunk(d *draw, a *act) {
	a.upload(d.between(1, maxBody), true)
	a.client = func(a *act, c client) raw.Answer {
		if c.begin(a) == nil && c.send(a.up, false) == nil {
			_ = c.(*http1).put("no length\r\n")
		}
		return c.receive(a.notices)
	}
	a.handler = func(a *act, _ http.ResponseWriter, r *http.Request) error {
		got, err := io.ReadAll(r.Body)
		if !strings.HasPrefix(a.up, string(got)) || err == nil {
			a.faultf("the handler read %s, %v", shortened(string(got)), err)
		}
		return err
	}
	a.failed(400, "ok") // the client's fault
}
