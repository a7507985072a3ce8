package limits

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// guard is the body that the handler reads. Guards are never pooled: one that is
// read after its request returns an error, never another request's bytes.
type guard struct {
	x        *exchange.Exchange
	policy   *policy
	src      io.ReadCloser
	outer    *guard               // the guard of an outer New, or nil
	declared int64                // the declared length; -1 if there is none
	limit    atomic.Int64         // bytes on the wire
	failed   atomic.Bool          // err reports an exceeded limit
	pace     atomic.Pointer[pace] // nil without a minimum rate

	// As with net/http's own bodies, concurrent reads take turns, and Close does not
	// wait for them.
	reads sync.Mutex
	n     int64 // bytes delivered, to the handler or the decoder
	err   error // sticky
	*decoding
}

// decoding is the additional state of a guard that decodes.
type decoding struct {
	top     io.Reader
	bottom  *bufio.Reader
	decoded atomic.Int64 // bytes after each coding
	ratio   atomic.Int64
	readErr error // why reading from the client failed
}

// guard returns the guard for the body of r, or nil if there is nothing to limit.
func (p *policy) guard(x *exchange.Exchange, r *http.Request) *guard {
	limits := p.MaxBodyBytes > 0 || p.MaxDecodedBytes > 0 || p.MinBodyRate > 0
	if !hasBody(r) || !limits && !p.Shadow { // in Shadow, Override finds Shadow through the guard
		return nil
	}
	g := &guard{x: x, policy: p, src: r.Body, declared: r.ContentLength}
	g.limit.Store(p.MaxBodyBytes)
	if p.MaxBodyBytes == 0 || r.ContentLength > p.ceiling() { // a declared length above the ceiling is possible only in Shadow, and is already reported
		g.limit.Store(math.MaxInt64)
	}
	if p.MinBodyRate > 0 {
		g.pace.Store(&pace{x: x, shadow: p.Shadow, rate: p.MinBodyRate, grace: p.BodyGrace})
		x.Body().BoundDrain()
	}
	if names := p.codings(r); names != nil && p.unknownCoding(r) == nil && (!p.Shadow || g.decodable(names)) {
		g.decoding = &decoding{}
		g.decoded.Store(p.MaxDecodedBytes)
		g.ratio.Store(int64(p.MaxDecodeRatio))
		g.top = g.decoder(names)
	}
	g.outer, _ = x.Body().Guard().(*guard)
	return g
}

// request returns r with the guard as its body. If r has no guard yet, request sets
// r.Body. Otherwise a goroutine of an earlier handler may be reading r.Body, so
// request returns a copy of r. Override finds the guard through the exchange.
func (g *guard) request(r *http.Request) *http.Request {
	g.x.Body().SetGuard(g)
	if r == g.x.Request() && g.decoding == nil && g.x.Body().Owns(r.Body) {
		r.Body = g
		return r
	}
	return g.clone(r)
}

func (g *guard) clone(r *http.Request) *http.Request {
	c := *r
	c.Body = g
	if g.decoding != nil {
		c.Header = r.Header.Clone()
		c.Header.Del("Content-Encoding")
		c.Header.Del("Content-Length")
		c.ContentLength = -1
	}
	return &c
}

// Read reads from the body, up to the limit. It never returns bytes beyond the
// limit, not even with an error.
func (g *guard) Read(p []byte) (int, error) {
	g.reads.Lock()
	defer g.reads.Unlock()
	switch {
	case g.err != nil:
		return 0, g.err
	case g.declared > g.limit.Load(): // a read would send 100 Continue
		if err := g.tooLarge(); err != nil {
			return 0, err
		}
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case g.decoding == nil:
		n, err := g.readEncoded(p)
		g.err = err
		return n, err
	default:
		n, err := g.top.Read(p)
		if !g.failed.Load() { // a decoder may return the error of a limit only at its next read
			g.err = err
		}
		return n, err
	}
}

// readEncoded reads from the client, before decoding. It reads one byte more than is
// allowed, to find out whether the body ends at the limit.
func (g *guard) readEncoded(p []byte) (int, error) {
	left := max(0, g.limit.Load()-g.n) // Override may have lowered the limit below what was read
	if int64(len(p))-1 > left {
		p = p[:left+1]
	}
	n, err := g.read(p)
	if int64(n) > left {
		if e := g.tooLarge(); e != nil {
			g.n += left
			return int(left), e
		}
	}
	g.n += int64(n)
	return n, err
}

// read reads from the client and enforces the minimum rate.
func (g *guard) read(p []byte) (int, error) {
	pace := g.pace.Load()
	if pace == nil {
		return g.src.Read(p)
	}
	pace.begin()
	n, err := g.src.Read(p)
	if e := pace.end(n, err != nil); e != nil {
		return n, g.fail(e)
	}
	return n, err
}

func (g *guard) tooLarge() error {
	return g.overLimit(&http.MaxBytesError{Limit: g.limit.Load()}, &g.limit)
}

// overLimit calls fail. In Shadow it adds a remark instead, and lifts the limit, so
// each limit has at most one remark.
func (g *guard) overLimit(err error, limit *atomic.Int64) error {
	if !g.policy.Shadow {
		return g.fail(err)
	}
	g.x.Notes.Warn(err)
	limit.Store(math.MaxInt64)
	return nil
}

// fail makes all further Reads return err. It also records err in the exchange,
// because a decoder may lose the error of its reader.
func (g *guard) fail(err error) error {
	g.err = err
	g.failed.Store(true)
	g.x.Notes.SetBodyError(err)
	g.x.Notes.AddCause(err)
	g.x.Response().CloseAfterReply()
	return err
}

// Close closes the body, unless it exceeded a limit. net/http's Close drains the
// rest of a body, however long the client takes to send it. A caller that forwards
// the body would wait, because http.Transport closes a body that it fails to read.
// The server closes the body after the response.
func (g *guard) Close() error {
	if g.failed.Load() {
		return nil
	}
	if pace := g.pace.Load(); pace != nil {
		pace.stop()
		g.x.Body().Linger() // the server looks for the next request, and would wait for the client
	}
	return g.src.Close()
}

// String and Format keep fmt from reading the fields while the body is read.
func (g *guard) String() string { return "bulwark.Body" }

// Format: see String.
func (g *guard) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("bulwark.Body")) }

// end is called when the handler has returned. It bounds the time in which the
// server drains the rest of the body. If the client was cut off because it was
// slow, the server does not wait at all. A goroutine of the handler may still be
// reading, so end writes no field that Read reads.
func (g *guard) end() {
	slow, pace := false, g.pace.Load()
	if pace != nil {
		slow = pace.stop()
	}
	if (g.failed.Load() || pace != nil && !g.policy.Shadow) && !slow {
		g.x.Body().Linger()
	}
	g.x.Body().SetGuard(g.outer) // middleware outside may call its handler again
}
