package exchange

import (
	"errors"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/respwriter"
)

// response is the part of an exchange that belongs to the response. Its fields
// are guarded by wmu, unless they say otherwise.
type response struct {
	inner http.ResponseWriter // the server's, or an outer middleware's; never changes

	wmu      sync.Mutex    // held while something is written
	status   int32         // the final status handed to the server
	flushed  bool          // the head is known to have been sent
	cut      bool          // the response was aborted
	identity bool          // the application has set Transfer-Encoding: identity
	timedOut bool          // the server's WriteTimeout had passed
	declared int64         // Content-Length of the response, -1 if none was set
	written  int64         // bytes of the body that the server accepted
	started  time.Duration // when the current write began, or the write that committed the response; 0 if unknown

	committed atomic.Bool
	hijacked  atomic.Bool
	closing   atomic.Uint32 // see CloseAfterReply
	headers   atomic.Uint32 // which header map the handler has
	lastWrite atomic.Int64  // when something was last written, in nanoseconds since the start
	sent      atomic.Int64  // written and flushed before the write in progress, see publish
	own       http.Header   // the handler's header map, if it has one; guarded by Exchange.mu
	idHeader  *IDHeader     // guarded by Exchange.mu

	control sync.Mutex // guards Exchange.controlOff, and the calls of a ResponseController

	// See KeepNegotiationHeaders; guarded by Exchange.mu.
	accept, acceptLanguage []string
}

// responseWriter is the exchange as the handler's ResponseWriter.
type responseWriter Exchange

// begin starts a write, or returns why the write is refused. If it returns nil, the
// caller must defer done.
func (x *Exchange) begin() error {
	now, overdue := x.overdue()
	if overdue {
		x.expireNow()
	}
	x.wmu.Lock()
	if x.state.startWriting() {
		if now != 0 {
			x.started = now
		}
		x.publish()
		return nil
	}
	x.wmu.Unlock()
	return x.state.load().writeErr()
}

// publish is called before a write that may block. While it blocks, the writer holds
// wmu, and other goroutines cannot read the fields written and flushed.
func (x *Exchange) publish() {
	sent := x.written << 1
	if x.flushed {
		sent |= 1
	}
	if sent != 0 {
		x.sent.Store(sent)
	}
}

// published returns what was last published.
func (x *Exchange) published() (written int64, flushed bool) {
	sent := x.sent.Load()
	return sent >> 1, sent&1 != 0
}

// done ends the write, and wakes awaitIdle.
func (x *Exchange) done() {
	x.closeAfterHead()
	if !x.committed.Load() {
		x.started = 0
	}
	open := x.state.stopWriting()
	x.wmu.Unlock()
	if open {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.extras(); s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// Unwrap returns the server's writer, for http.ResponseController and
// http.MaxBytesReader.
func (w *responseWriter) Unwrap() http.ResponseWriter {
	if _, ok := w.inner.(http.Hijacker); !ok && !(*Exchange)(w).http2() {
		if _, ok := respwriter.Innermost(w.inner).(http.Hijacker); ok {
			return hijackable{w.inner, (*Exchange)(w)}
		}
	}
	return w.inner
}

// WriteHeader sends the head. Informational responses are sent but do not commit
// the response. 101 is final on HTTP/1; net/http's HTTP/2 treats it like the others.
func (w *responseWriter) WriteHeader(code int) {
	x := (*Exchange)(w)
	if err := x.begin(); err != nil {
		if err == http.ErrHijacked { //nolint:errorlint // begin returns it bare
			x.logSuperfluous("WriteHeader", true)
		}
		return
	}
	defer x.done()
	switch {
	case x.committed.Load():
		x.logSuperfluous("WriteHeader", false)
	case code >= 100 && code < 200 && (code != http.StatusSwitchingProtocols || x.http2()): // HTTP/2 has no 101
		x.writeInformational(code)
	default:
		x.copyHeaders()
		x.keepOneID()
		x.closeBeforeHead()
		x.inner.WriteHeader(code) // panics for an invalid code
		x.commit(code)
	}
}

// commit records the final status. It records the time before the write. It sets
// lastWrite before committed: a timer that fires in between must not take the
// response as silent.
func (x *Exchange) commit(code int) {
	wire := x.inner.Header()
	x.status = int32(code)
	if hook := x.commitHook(); hook != nil {
		hook(wire)
	}
	streams := x.streams()
	if streams || x.followed() { // otherwise the time is not used
		if x.started == 0 {
			x.started = x.Now()
		}
		x.lastWrite.Store(int64(x.started))
	}
	x.declared = declaredLength(wire)
	if v, ok := wire["Transfer-Encoding"]; ok {
		x.identity = len(v) == 1 && v[0] == "identity"
	}
	if x.http2() && wire["Trailer"] != nil && x.original.Method != http.MethodHead { // HTTP/1 sends trailers only after a body without a length
		x.state.set(trailing)
	}
	x.committed.Store(true)
	if code == http.StatusSwitchingProtocols {
		x.lift()
	} else if streams {
		x.streamBegan()
	}
}

// OnCommit makes the exchange call f with the headers when the response is
// committed.
func (r *Response) OnCommit(f func(http.Header)) {
	x := (*Exchange)(r)
	s := x.ensureExtras()
	x.mu.Lock()
	defer x.mu.Unlock()
	s.onCommit = f
}

func (x *Exchange) commitHook() func(http.Header) {
	s := x.extras()
	if s == &noExtras {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return s.onCommit
}

// streamBegan sets the alarm for the silence.
func (x *Exchange) streamBegan() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.setAlarm(0)
}

// implicit commits the 200 that a first Write or Flush sends.
func (x *Exchange) implicit() {
	if !x.committed.Load() {
		x.copyHeaders()
		x.keepOneID()
		x.closeBeforeHead()
		x.commit(http.StatusOK)
	}
}

// Write writes to the response. After a deadline it is refused with
// http.ErrHandlerTimeout.
func (w *responseWriter) Write(p []byte) (int, error) {
	x := (*Exchange)(w)
	if err := x.begin(); err != nil {
		return 0, x.refused(err, len(p))
	}
	defer x.done()
	x.implicit()
	if x.boundDrain() {
		defer x.unboundDrain()
	}
	return inPieces(x, p, x.inner.Write)
}

// WriteString is like Write, for a string.
func (w *responseWriter) WriteString(s string) (int, error) {
	x := (*Exchange)(w)
	if err := x.begin(); err != nil {
		return 0, x.refused(err, len(s))
	}
	defer x.done()
	x.implicit()
	if x.boundDrain() {
		defer x.unboundDrain()
	}
	return inPieces(x, s, func(p string) (int, error) { return writeString(x.inner, p) })
}

func writeString(w http.ResponseWriter, s string) (int, error) {
	if sw, ok := w.(interface{ WriteString(string) (int, error) }); ok {
		return sw.WriteString(s)
	}
	return w.Write([]byte(s))
}

// refused logs a refused write of n bytes if net/http would, and returns err.
func (x *Exchange) refused(err error, n int) error {
	if err == http.ErrHijacked && n > 0 { //nolint:errorlint // begin returns it bare
		x.logSuperfluous("Write", true)
	}
	return err
}

// wrote records the result of a write.
func (x *Exchange) wrote(n int64, err error) {
	x.written += n
	if x.streams() {
		x.lastWrite.Store(int64(x.Now()))
	}
	if err == nil || x.extras().writeErr != nil || errors.Is(err, http.ErrBodyNotAllowed) || x.exceedsLength(err) {
		return
	}
	x.failedToWrite(err, x.written-n)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
	case x.http2() && x.pastWriteTimeout():
		x.timedOut = true // the server has reset the stream, and the error does not say why
	case x.state.load() == open && x.lostClient(err):
		x.noteClientLeft()
		x.scheduleGone()
	}
}

// failedToWrite records the first failed write. before is how much was written before
// it.
func (x *Exchange) failedToWrite(err error, before int64) {
	s := x.ensureExtras()
	s.writeErr, s.wroteTo = err, before
}

// exceedsLength reports whether a write was refused because it exceeds the declared
// Content-Length. The server then sends nothing of it.
func (x *Exchange) exceedsLength(err error) bool {
	return errors.Is(err, http.ErrContentLength) || x.http2() && err.Error() == lengthExceeded
}

// lengthExceeded is the text of HTTP/2's error for that, which net/http does not export.
const lengthExceeded = "http2: handler wrote more than declared Content-Length"
