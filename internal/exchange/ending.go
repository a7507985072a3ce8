package exchange

import (
	"cmp"
	"net/http"
	"time"
)

// Ending is how a request ended, as seen from the wire.
type Ending struct {
	Status    int           // the status that went over the wire, 0 where none did
	Intended  int           // the status that the handler wanted, 0 where it wanted none or no other
	BytesIn   int64         // bytes of the request's body that were read
	BytesOut  int64         // bytes of the response's body that the server took
	FirstByte time.Duration // until the head of the response, 0 where there was none
	Duration  time.Duration
	Route     string // the pattern that matched, "" where none is known
	Cause     error  // why it failed, all that was noted
	First     error  // what was noted first, and names the failure
	Panic     any    // the value of a panic, answered or not
	Stack     []byte // its stack, where somebody took it
	WriteErr  error  // the first failure of a write
	ProblemID string
	Remarks   []error // what did not make it fail

	Deadline   bool // the deadline ended it
	ClientGone bool // the client had left
	Refused    bool // it was turned away before the handler
	Hijacked   bool // the connection was taken over
	Cut        bool // the response was cut off
	Aborted    bool // http.ErrAbortHandler or runtime.Goexit
	Short      bool // fewer bytes were written than declared
	Abandoned  bool // the handler was still running
	TimedOut   bool // the server's WriteTimeout had passed: the client did not get it all
	Unanswered bool // an unrecovered panic passed: the server sends nothing more
}

func (x *Exchange) ending(panicked any) Ending {
	e := Ending{BytesIn: x.bytesIn.Load(), Duration: x.Now()}
	expiry := x.expiry.Load()
	expired := expiry != nil
	var seen string
	if expired {
		e.Duration, e.Abandoned, e.ClientGone = expiry.at, expiry.abandoned, expiry.departed
	} else {
		seen = x.req.Pattern // the handler has returned: the request is ours again
		e.ClientGone = x.ClientGone()
	}
	x.mu.Lock()
	x.route = cmp.Or(seen, x.route)
	e.Route = x.route
	x.mu.Unlock()
	x.copyTo(&e)
	if panicked != nil && e.Panic == nil && panicked != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		e.Panic = panicked
	}
	e.Unanswered = panicked != nil || !expired && !x.returned
	e.Aborted = e.Unanswered && e.Panic == nil
	x.fromWriter(&e)
	return e
}

// copyTo copies what was noted.
func (x *notes) copyTo(e *Ending) {
	n := x.noted.Load()
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e.Cause, e.Panic, e.Stack = n.cause(), n.panicked, n.stack
	if len(n.causes) > 0 {
		e.First = n.causes[0]
	}
	e.Intended, e.ProblemID = n.intended, n.problemID
	e.Refused, e.Deadline, e.Remarks = n.refused, n.deadline, n.remarks
	e.ClientGone = e.ClientGone || n.gone
}

// fromWriter reports what went out.
func (x *Exchange) fromWriter(e *Ending) {
	x.wmu.Lock()
	defer x.wmu.Unlock()
	e.Hijacked, e.Cut, e.WriteErr = x.hijacked, x.cut, x.rare().writeErr
	e.FirstByte = x.started
	if x.committed.Load() && !x.hasBody() {
		e.BytesOut = 0
	} else {
		e.BytesOut = x.written
	}
	if x.timedOut {
		e.TimedOut, e.ClientGone = true, false // HTTP/2 cancels the context then, too
	}
	if t := x.rare().traffic; t != nil {
		e.BytesIn += t.in.Load()
		e.BytesOut += t.out.Load()
		e.Status = int(t.head.status.Load())
	}
	broken := x.cut || x.timedOut || e.Unanswered
	switch {
	case x.committed.Load() && (!broken || x.onWire()):
		e.Status = int(x.status)
	case x.committed.Load():
		e.Intended = cmp.Or(e.Intended, int(x.status))
	case !broken && !x.hijacked && !e.ClientGone:
		e.Status = http.StatusOK // what the server sends for a handler that wrote nothing
	}
	if e.Status == e.Intended {
		e.Intended = 0
	}
	e.Short = !broken && !x.hijacked && x.committed.Load() && x.hasBody() && x.declared >= 0 && x.written < x.declared
}

// bufferedHTTP1 and bufferedHTTP2 are how much of a body net/http keeps back
// before it sends the head. A connection of HTTP/1 has another buffer behind the
// first, which the server still sends at the end, but not where we broke the
// transport.
const (
	bufferedHTTP1 = 2 << 10
	bufferedConn  = 4 << 10
	bufferedHTTP2 = 4 << 10
)

// headGoesWith reports whether the head goes out with a write of n bytes, even if
// that fails. HTTP/2 takes a large write as a whole and counts nothing of one that
// got stuck, but sends the head before it. HTTP/1 counts what it sent.
func (x *Exchange) headGoesWith(n int) bool {
	return n > bufferedHTTP2 && x.original.ProtoMajor >= 2 && !x.flushed && x.Parent().Err() == nil
}

// onWire reports whether the head of a response that broke off went out for
// certain.
func (x *Exchange) onWire() bool {
	limit := int64(bufferedHTTP1)
	switch {
	case x.original.ProtoMajor >= 2:
		limit = bufferedHTTP2
	case x.cut:
		limit += bufferedConn
	}
	return x.flushed || x.written > limit
}
