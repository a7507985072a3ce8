package limits

import (
	"bufio"
	"io"
	"math"
	"net/http"
	"sync/atomic"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// guard is the body that the handler reads. One request, one guard: it is
// never pooled, so that one kept past its request gives an error and never
// another request's bytes.
type guard struct {
	x        *exchange.Exchange
	policy   *policy
	src      io.ReadCloser
	before   io.ReadCloser // what the exchange's own clone had for a body, maybe the guard of a New further out
	declared int64         // the length that the client declared, -1 where none
	limit    int64         // bytes on the wire
	n        int64         // of them delivered, to the handler or the decoder
	err      error         // sticky
	failed   atomic.Bool   // err is ours
	over     atomic.Bool
	pace     *pace // nil where the client may take its time
	*decoding
}

// decoding is what a guard has besides where it decodes.
type decoding struct {
	top     io.Reader
	bottom  *bufio.Reader
	decoded int64 // bytes after each coding
	ratio   int
	wireErr error // why reading from the client failed
}

// guard returns the guard for the body of r, nil where there is nothing to
// guard.
func (p *policy) guard(x *exchange.Exchange, r *http.Request) *guard {
	if p.MaxBodyBytes == 0 && p.MaxDecodedBytes == 0 && p.MinBodyRate == 0 || !hasBody(r) {
		return nil
	}
	g := &guard{x: x, policy: p, src: r.Body, declared: r.ContentLength, limit: p.MaxBodyBytes}
	if p.MaxBodyBytes == 0 || r.ContentLength > p.ceiling() { // the latter is in the shadow, and reported
		g.limit = math.MaxInt64
	}
	if p.MinBodyRate > 0 {
		g.pace = &pace{x: x, shadow: p.Shadow, rate: p.MinBodyRate, grace: p.BodyGrace}
	}
	if names := p.codings(r); names != nil && p.unknownCoding(r) == nil {
		g.decoding = &decoding{decoded: p.MaxDecodedBytes, ratio: p.MaxDecodeRatio}
		g.top = g.decoder(names)
	}
	g.before = x.Request().Body
	return g
}

// request returns r with the guard for its body. The exchange's own clone of
// the request always has the innermost guard: Override looks there.
func (g *guard) request(r *http.Request) *http.Request {
	g.x.Request().Body = g
	if r == g.x.Request() && g.decoding == nil {
		return r
	}
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

// Read reads at most as much as is allowed. What is delivered never exceeds
// the limit, not even where the error comes with it.
func (g *guard) Read(p []byte) (int, error) {
	switch {
	case g.over.Load():
		return 0, http.ErrBodyReadAfterClose
	case g.err != nil:
		return 0, g.err
	case g.declared > g.limit: // nothing is read, so that a client that asks first is not told to go on
		if err := g.tooLarge(); err != nil {
			return 0, err
		}
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case g.decoding == nil:
		n, err := g.wire(p)
		g.err = err
		return n, err
	default:
		n, err := g.top.Read(p)
		if !g.failed.Load() { // a decoder may keep an error of ours back until the next read
			g.err = err
		}
		return n, err
	}
}

// wire reads from the client. One byte more than is allowed answers whether
// the body ends here.
func (g *guard) wire(p []byte) (int, error) {
	left := max(0, g.limit-g.n) // Override may have lowered it under what was read
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

// read reads, at the pace that is asked for.
func (g *guard) read(p []byte) (int, error) {
	if g.pace == nil {
		return g.src.Read(p)
	}
	g.pace.begin()
	n, err := g.src.Read(p)
	if e := g.pace.end(n, err != nil); e != nil {
		return n, g.fail(e)
	}
	return n, err
}

func (g *guard) tooLarge() error {
	return g.exceeded(&http.MaxBytesError{Limit: g.limit}, &g.limit)
}

// exceeded is fail, or in the shadow a remark: once for each limit, which is
// lifted then.
func (g *guard) exceeded(err error, limit *int64) error {
	if !g.policy.Shadow {
		return g.fail(err)
	}
	g.x.Remark(err)
	if limit != nil {
		*limit = math.MaxInt64
	} else {
		g.ratio = math.MaxInt
	}
	return nil
}

// fail makes err what every further Read returns, and remembers it for those
// who lose the error of their reader.
func (g *guard) fail(err error) error {
	g.err = err
	g.failed.Store(true)
	g.x.SetBodyError(err)
	g.x.Note(err)
	g.x.CloseAfterReply()
	return err
}

// Close closes the body.
func (g *guard) Close() error {
	if g.pace != nil {
		g.pace.stop()
	}
	return g.src.Close()
}

// end is called when the handler has returned: the body is dead from here on.
// What the server still drains of it, it drains in bounded time; where the
// client was cut off for being slow, it does not wait at all. A handler that
// was left behind may be reading at this moment.
func (g *guard) end() {
	g.over.Store(true)
	slow := false
	if g.pace != nil {
		slow = g.pace.stop()
	}
	if (g.failed.Load() || g.pace != nil) && !slow {
		g.x.Linger()
	}
	if !g.x.Detached() {
		g.x.Request().Body = g.before // somebody further out may serve once more
	}
}
