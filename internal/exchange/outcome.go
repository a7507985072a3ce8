package exchange

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/bulwark-go/bulwark/internal/errtree"
)

// Outcome is how a request ended, see package logging.
type Outcome string

// The outcomes.
const (
	OK           Outcome = "ok"
	Error        Outcome = "error"
	DeadlineHit  Outcome = "deadline"
	Gone         Outcome = "client_gone"
	WriteTimeout Outcome = "write_timeout"
	WriteError   Outcome = "write_error"
	ShortBody    Outcome = "short_body"
	Panic        Outcome = "panic"
	Aborted      Outcome = "aborted"
	Upgraded     Outcome = "upgraded"
	Refused      Outcome = "refused"
)

// StatusClientGone is the status that nginx logs if the client disconnected. It is
// never sent.
const StatusClientGone = 499

// Ending describes how a request ended on the wire.
type Ending struct {
	Outcome   Outcome
	Status    int           // the status that was sent; 0 if none was, or 499 if the client left first
	Intended  int           // the status that the handler wanted, if it differs; else 0
	BytesIn   int64         // bytes of the request's body that were read
	BytesOut  int64         // bytes of the response's body that the server accepted
	FirstByte time.Duration // time to the head of the response, 0 if there was none
	HeadSent  bool          // the head is known to have been sent before the response was complete
	Duration  time.Duration
	Route     string // the pattern that matched, "" if none is known
	Cause     error  // why the request failed: all recorded causes
	First     error  // the first recorded cause
	Panic     any    // the value of a panic, even if the panic was answered
	Stack     []byte // the stack of the panic, if it is known
	WriteErr  error  // the first failure of a write
	ProblemID string
	Remarks   []error       // problems that did not make the request fail
	Abandoned bool          // the handler was still running
	Where     string        // the stack of an abandoned handler, "" if it was not taken
	Cut       bool          // the response was aborted
	Queued    time.Duration // how long the request waited for a permit
	// Unanswered means that a panic was not recovered, so the server sends nothing more.
	Unanswered bool
	Complete   bool // the client had the end of the response before that
}

// facts determine the outcome, together with the Ending.
type facts struct {
	deadline   bool // one of our deadlines ended the request
	clientLeft bool
	refused    bool // the request was refused before the handler ran
	hijacked   bool
	timedOut   bool // the server's WriteTimeout had passed
	short      bool // fewer bytes were written than declared
	whole      bool // all of the response was passed to the kernel before the end
}

// describeEnd collects the Ending when the request has ended.
func (x *Exchange) describeEnd(e *Ending, panicked any) {
	e.BytesIn, e.Duration = x.bytesIn.Load(), x.Now()
	f := &facts{}
	early := x.earlyEnd()
	stuck := early != nil && early.stuck
	var seen string
	if early != nil {
		e.Duration, e.Abandoned = early.at, early.abandoned
	} else {
		seen = x.req.Pattern // safe, because the handler has returned
	}
	x.mu.Lock()
	x.route = cmp.Or(seen, x.route)
	e.Route = x.route
	x.mu.Unlock()
	f.clientLeft = x.ClientGone()
	x.Notes.copyTo(e, f)
	if panicked != nil && e.Panic == nil && panicked != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		e.Panic = panicked
	}
	e.Unanswered = panicked != nil || early == nil && !x.returned
	if stuck {
		x.copyStuckResponse(e)
	} else {
		x.copyResponse(e, f)
	}
	e.Outcome = x.outcome(e, f)
	// An HTTP/2 flush that failed may have sent the head.
	unsent := !e.HeadSent && (e.WriteErr == nil || !x.http2())
	if e.Outcome == Gone && (unsent || x.state.has(leftFirst)) {
		e.Intended = cmp.Or(e.Intended, e.Status)
		e.Status, e.FirstByte, e.HeadSent = StatusClientGone, 0, false
	}
	if e.Status == e.Intended {
		e.Intended = 0
	}
}

// copyTo copies what was recorded.
func (n *Notes) copyTo(e *Ending, f *facts) {
	d := n.noted.Load()
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e.Cause, e.Panic, e.Stack = d.cause(), d.panicked, d.stack
	if len(d.causes) > 0 {
		e.First = d.causes[0]
	}
	e.Intended, e.ProblemID, e.Remarks, e.Queued = d.intended, d.problemID, d.remarks, d.queued
	f.refused, f.deadline = d.refused, d.deadline
}

// copyResponse copies what was sent.
func (x *Exchange) copyResponse(e *Ending, f *facts) {
	x.wmu.Lock()
	defer x.wmu.Unlock()
	f.hijacked, e.Cut, f.timedOut, e.WriteErr = x.hijacked.Load(), x.cut, x.timedOut, x.extras().writeErr
	e.FirstByte = x.started
	committed := x.committed.Load()
	if x.state.has(finished) && !committed {
		e.Cut = true // middleware outside has answered
	}
	if !committed || x.hasBody() {
		e.BytesOut = x.written
	}
	if t := x.extras().connection; t != nil {
		e.BytesIn += t.in.Load()
		e.BytesOut += t.out.Load()
	}
	e.HeadSent = committed && x.onWire()
	f.whole = committed && !e.Cut && e.WriteErr == nil && !x.state.has(trailing) &&
		(x.flushed && x.declared >= 0 && x.written >= x.declared || x.onWire() && !x.hasBody())
	e.Complete = f.whole && (!x.http2() || x.original.Method == http.MethodHead) // else the reset of the stream is its end
	broken := e.Cut || f.timedOut || e.Unanswered || e.WriteErr != nil
	switch {
	case committed && (!broken || x.onWire()):
		e.Status = int(x.status)
	case committed:
		e.Intended = cmp.Or(e.Intended, int(x.status))
	case f.hijacked:
		e.Status = x.upgradeStatus()
	case !broken && !e.Abandoned:
		e.Status = http.StatusOK // what the server sends for a handler that wrote nothing
	}
	f.short = !broken && !f.hijacked && x.hasBody() && x.declared >= 0 && x.written < x.declared
}

// copyStuckResponse copies what was sent before a write that does not end. The
// writer holds wmu.
func (x *Exchange) copyStuckResponse(e *Ending) {
	e.Cut = true
	if !x.committed.Load() {
		return
	}
	written, flushed := x.published()
	e.HeadSent = flushed || x.exceedsBuffers(written, true)
	if e.HeadSent {
		e.Status, e.BytesOut, e.FirstByte = int(x.status), written, x.started
	} else {
		e.Intended = cmp.Or(e.Intended, int(x.status))
	}
}

// outcome decides how the request ended. The first matching case wins. A panic
// comes first. A failed write comes before its consequences. The handler may return
// the error, and the response is then aborted. A proxy may turn the error into
// http.ErrAbortHandler. net/http may report that the client has left.
func (x *Exchange) outcome(e *Ending, f *facts) Outcome {
	switch {
	case e.Panic != nil:
		return Panic
	case f.deadline && f.clientLeft: // the client left first, and the deadline only noticed that
		return Gone
	case f.deadline:
		return DeadlineHit
	case f.timedOut:
		return WriteTimeout
	case e.WriteErr != nil:
		return x.writeOutcome(e.WriteErr, f.clientLeft)
	case e.Cut && !f.clientLeft && e.Cause != nil && !errtree.Contains(e.Cause, context.Canceled):
		return Error
	case f.clientLeft && !f.whole && !f.hijacked:
		return Gone
	case e.Unanswered:
		return Aborted // by http.ErrAbortHandler or runtime.Goexit
	case f.hijacked, e.Status == http.StatusSwitchingProtocols:
		return Upgraded
	case f.refused:
		return Refused
	case f.short:
		return ShortBody
	case x.Err() == context.DeadlineExceeded: //nolint:errorlint // contexts return it bare
		return DeadlineHit // the deadline of an outer http.TimeoutHandler, or a cooperative deadline
	case e.Cut, e.Status >= 500, e.Status < 400 && e.Cause != nil:
		return Error
	default:
		return OK
	}
}

// writeOutcome returns the outcome for a failed write.
func (x *Exchange) writeOutcome(err error, left bool) Outcome {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return WriteTimeout
	case peerGone(err), x.http2() && (left || streamEnded(err)):
		return Gone
	case x.original.ProtoMajor == 3 && x.Parent().Err() != nil: // errors of HTTP/3 have no standard types
		return Gone
	}
	return WriteError
}

// lostClient reports whether a write failed because the client has left.
func (x *Exchange) lostClient(err error) bool {
	return x.writeOutcome(err, x.ClientGone()) == Gone
}

// streamEnded reports whether err is that of a write to an HTTP/2 stream that has
// ended, if no write deadline has ended it. net/http does not export streamClosed.
func streamEnded(err error) bool { return connectionEnded(err) || err.Error() == streamClosed }

const streamClosed = "http2: stream closed"

// connectionEnded reports whether err means that the client has ended an HTTP/2
// connection. Reads and writes fail with such errors before the contexts end.
// net/http does not export these errors.
func connectionEnded(err error) bool {
	return errors.Is(err, net.ErrClosed) || err.Error() == "client disconnected"
}

// bufferedHTTP1 and bufferedHTTP2 are how much of a body net/http buffers before
// it sends the head. An HTTP/1 connection has a second buffer, which the server
// still sends at the end unless we broke the transport.
const (
	bufferedHTTP1 = 2 << 10
	bufferedConn  = 4 << 10
	bufferedHTTP2 = 4 << 10
)

// headGoesWith reports whether a write of n bytes sends the head even if the client
// ends the write. A write that is larger than the buffers is sent immediately after
// the head. If such a write fails, none of its bytes are counted.
func (x *Exchange) headGoesWith(n int) bool {
	if x.flushed || x.Parent().Err() != nil {
		return false
	}
	if x.http2() {
		return n > bufferedHTTP2
	}
	return n > bufferedHTTP1+bufferedConn
}

// brokenSince reports whether a deadline may have ended a write before it sent
// anything. The write failed with err. before is the state when the write began. If
// the client or the server has closed an HTTP/2 stream, our deadline did not break it.
func (x *Exchange) brokenSince(before state, err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || x.http2() && x.pastWriteTimeout() ||
		x.state.load() != before && !(x.http2() && streamEnded(err))
}

// onWire reports whether the head of a broken response was certainly sent.
func (x *Exchange) onWire() bool {
	written := x.written
	s := x.extras()
	if s.writeErr != nil { // the bytes that it wrote are in a buffer
		written = s.wroteTo
	}
	return x.flushed || x.exceedsBuffers(written, x.cut || s.writeErr != nil)
}

// exceedsBuffers reports whether the head was sent because so much was written. If
// the response is broken, the second buffer is not sent.
func (x *Exchange) exceedsBuffers(written int64, broken bool) bool {
	switch {
	case x.http2():
		return written > bufferedHTTP2
	case broken:
		return written > bufferedHTTP1+bufferedConn
	}
	return written > bufferedHTTP1
}
