package chaos_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

// stream is server-sent events.
func stream(d *draw, a *act) {
	events, pause := d.between(1, 20), d.ms(0, 20)
	a.what = fmt.Sprintf("%d events, every %v", events, pause)
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range events {
			if _, err := io.WriteString(w, a.text(some)); err != nil {
				return err
			}
			if err := flush(w); err != nil {
				return err
			}
			if i == 0 { // the first is sent at once
				select {
				case <-a.seen:
				case <-r.Context().Done():
				}
			}
			time.Sleep(pause)
		}
		return nil
	}
	a.ok(200, strings.Repeat(a.text(some), events))
}

// silentStream sends nothing more.
func silentStream(_ *draw, a *act) {
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if err := a.begin(w); err != nil {
			return err
		}
		a.await(a.logged, "the log record of a silence")
		a.mischief(w, r)
		return nil
	}
	a.broken(a.text(some), "deadline", 0)
}

const greeting = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

// upgrade switches to a protocol in which the server echoes.
func upgrade(d *draw, a *act) {
	byHand, rounds, size := d.maybe(), d.between(0, 10), d.between(1, 5000)
	ends, outlives := d.IntN(3), d.IntN(4) == 0
	a.what = fmt.Sprintf("by hand %v, %d rounds of %d bytes, ends %d, outlives its deadline %v", byHand, rounds, size, ends, outlives)
	a.req.Set("Connection", "Upgrade")
	a.req.Set("Upgrade", "echo")
	const limit = 100 * time.Millisecond
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if outlives && !a.nears(r, limit) {
			return r.Context().Err()
		}
		conn, rw, err := takeOver(w, byHand)
		if err != nil {
			return err
		}
		defer conn.Close()
		for i := 0; i < rounds || ends > 0; i++ {
			if _, err := io.CopyN(rw, rw, int64(size)); err != nil {
				return nil
			}
			if err := rw.Flush(); err != nil {
				return nil
			}
		}
		return nil
	}
	a.client = func(a *act, c client) raw.Answer {
		_ = c.begin(a)
		got := c.receive(a.notices)
		if got.Status != 101 {
			return got
		}
		conn := c.(*http1)
		if outlives {
			time.Sleep(limit + limit/4)
		}
		for range rounds {
			a.echoes(conn, a.text(size))
		}
		if ends == 0 {
			if rest, err := io.ReadAll(conn.In); len(rest) > 0 || err != nil {
				a.faultf("the server ends with %q, %v", rest, err)
			}
		} else {
			c.leave(ends == 2)
		}
		return got
	}
	v := verdict{status: 101, end: whole, outcome: "upgraded"}
	a.traffic = &traffic{} // the connection is the server's own
	a.allow(v)
	if outlives {
		a.traffic = nil
		a.late(504, "the deadline was before the upgrade")
	}
}

// takeOver hijacks the connection, after the 101 or before.
func takeOver(w http.ResponseWriter, byHand bool) (net.Conn, *bufio.ReadWriter, error) {
	if !byHand {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		if g, ok := w.(interface{ WriteHeaderNow() }); ok {
			g.WriteHeaderNow() // Gin's own only remembers the status
		}
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err == nil && byHand {
		if _, err = rw.WriteString(greeting); err == nil {
			err = rw.Flush()
		}
	}
	return conn, rw, err
}

// echoes is a round of the echo.
func (a *act) echoes(conn *http1, text string) {
	if err := conn.put(text); err != nil {
		a.faultf("speaking: %v", err)
		return
	}
	back := make([]byte, len(text))
	if n, err := io.ReadFull(conn.In, back); err != nil || string(back) != text {
		a.faultf("the echo is %s, %v", shortened(string(back[:n])), err)
	}
}
