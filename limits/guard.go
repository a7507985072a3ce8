package limits

import (
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
	outer    *guard // of a New further out
	declared int64  // the length that the client declared, -1 where none
	limit    int64  // bytes on the wire
	n        int64  // of them delivered
	err      error  // sticky
	failed   bool   // err is ours
	over     atomic.Bool
}

// guard returns the guard for the body of r, nil where there is nothing to
// guard.
func (p *policy) guard(x *exchange.Exchange, r *http.Request) *guard {
	if p.MaxBodyBytes == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	g := &guard{x: x, policy: p, src: r.Body, declared: r.ContentLength, limit: p.MaxBodyBytes}
	g.outer, _ = x.Request().Body.(*guard)
	return g
}

// request returns r with the guard for its body. The exchange's own clone of
// the request always has the innermost guard: Override looks there.
func (g *guard) request(r *http.Request) *http.Request {
	g.x.Request().Body = g
	if r != g.x.Request() {
		c := *r
		c.Body = g
		r = &c
	}
	return r
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
		return 0, g.fail(&http.MaxBytesError{Limit: g.limit})
	case len(p) == 0:
		return 0, nil
	}
	return g.wire(p)
}

// wire reads from the client. One byte more than is allowed answers whether
// the body ends here.
func (g *guard) wire(p []byte) (int, error) {
	left := max(0, g.limit-g.n) // Override may have lowered it under what was read
	if int64(len(p))-1 > left {
		p = p[:left+1]
	}
	n, err := g.src.Read(p)
	if int64(n) > left {
		g.n += left
		return int(left), g.fail(&http.MaxBytesError{Limit: g.limit})
	}
	g.n += int64(n)
	g.err = err
	return n, err
}

// fail makes err what every further Read returns, and remembers it for those
// who lose the error of their reader.
func (g *guard) fail(err error) error {
	g.err, g.failed = err, true
	g.x.SetBodyError(err)
	g.x.Note(err)
	g.x.CloseAfterReply()
	return err
}

// Close closes the body.
func (g *guard) Close() error { return g.src.Close() }

// end is called when the handler has returned: the body is dead from here on.
func (g *guard) end() {
	g.over.Store(true)
	if g.failed {
		g.x.Linger()
	}
}

// ceiling is the largest body that any route may allow.
func (p *policy) ceiling() int64 {
	if p.MaxBodyBytes == 0 {
		return math.MaxInt64
	}
	return max(p.MaxBodyBytes, p.BodyCeiling)
}

// declared is why a body is refused for the length that the client declared.
func (p *policy) declared(r *http.Request) error {
	if r.ContentLength > p.ceiling() {
		return &http.MaxBytesError{Limit: p.MaxBodyBytes}
	}
	return nil
}
