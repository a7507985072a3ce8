package measure

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Load bounds a run of requests over loopback: at most Requests, and for at most
// For.
type Load struct {
	Conns, Requests int
	For             time.Duration
}

// Throughput is requests per second.
type Throughput struct {
	Name      string
	PerSecond Spread
	perSecond []float64
}

// Throughputs are the results of one interleaved run.
type Throughputs []Throughput

// Of returns the result of a contender. It panics if there is none.
func (ts Throughputs) Of(name string) Throughput {
	for _, t := range ts {
		if t.Name == name {
			return t
		}
	}
	panic("measure: no contender " + name)
}

// Ratio returns the throughput of one contender as a multiple of the other's
// throughput.
func (ts Throughputs) Ratio(name, to string) Ratio {
	return ratio(ts.Of(name).perSecond, ts.Of(to).perSecond)
}

// Run puts the load on the server of each contender in turn. raw has the bytes of
// the request. Every response other than a complete 200 is an error.
func (l Load) Run(rounds int, raw []byte, cs []Contender) (Throughputs, error) {
	ts := make(Throughputs, len(cs))
	addrs := make([]string, len(cs))
	for i, c := range cs {
		srv := server(c.Handler, false)
		defer srv.Close()
		ts[i].Name, addrs[i] = c.Name, srv.Listener.Addr().String()
	}
	for round := range rounds {
		for turn := range cs {
			i := (turn + round) % len(cs)
			perSecond, err := l.once(addrs[i], raw)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cs[i].Name, err)
			}
			ts[i].perSecond = append(ts[i].perSecond, perSecond)
		}
	}
	for i := range ts {
		ts[i].PerSecond = Of(append([]float64(nil), ts[i].perSecond...))
	}
	return ts, nil
}

func (l Load) once(addr string, raw []byte) (perSecond float64, err error) {
	var served, taken atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, l.Conns)
	start := time.Now()
	end := start.Add(l.For)
	for i := range l.Conns {
		all.Go(func() {
			errs[i] = converse(addr, raw, end.Add(l.For), func() bool {
				return taken.Add(1) <= int64(l.Requests) && time.Now().Before(end)
			}, &served)
		})
	}
	all.Wait()
	took := time.Since(start)
	return float64(served.Load()) / took.Seconds(), errors.Join(errs...)
}

// converse sends requests on one connection, in sequence, as long as more returns
// true. It reads no more of a response than necessary: client and server share the
// processors, and an expensive client would hide the differences.
func converse(addr string, raw []byte, watchdog time.Time, more func() bool, served *atomic.Int64) error {
	c, err := keep(addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	if err := c.conn.SetDeadline(watchdog); err != nil {
		return err
	}
	for more() {
		if err := c.ask(raw); err != nil {
			return err
		}
		served.Add(1)
	}
	return nil
}

var contentLength = []byte("Content-Length: ")

// skip200 reads one response with a Content-Length, which net/http sends for short
// bodies.
func skip200(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 "+strconv.Itoa(http.StatusOK))) {
		return fmt.Errorf("answered %q", bytes.TrimSpace(line))
	}
	length := -1
	for {
		line, err = r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if bytes.HasPrefix(line, contentLength) {
			if length, err = strconv.Atoi(string(line[len(contentLength):])); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return textproto.ProtocolError("no Content-Length")
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return err
}
