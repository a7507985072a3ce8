package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
)

// body is the part of an exchange that belongs to the request's body.
type body struct {
	bytesIn atomic.Int64
	waiting atomic.Int32 // reads in progress
	drained atomic.Bool  // there is no body, it was read to EOF, or it is closed
	drainBy atomic.Int64 // the read deadline for net/http's own reads, since the start; 0: none
	guard   atomic.Value // the innermost guard of package limits
	fault   atomic.Pointer[bodyFailure]
}

// Guard returns the value last passed to SetGuard, or nil.
func (b *Body) Guard() any {
	x := (*Exchange)(b)
	return x.guard.Load()
}

// SetGuard stores the innermost guard of the body, for package limits.
func (b *Body) SetGuard(g any) {
	x := (*Exchange)(b)
	x.guard.Store(g)
}

// Owns reports whether b is the exchange's body, with no guard around it.
func (b *Body) Owns(body io.ReadCloser) bool {
	x := (*Exchange)(b)
	own, ok := body.(*requestBody)
	return ok && (*Exchange)(own) == x
}

// requestBody is the exchange as the body of its request. It is never pooled. So a
// handler that reads the body too late gets an error and not the bytes of another
// request.
type requestBody Exchange

// wrapBody puts the exchange between the handler and the server's body.
func (x *Exchange) wrapBody() {
	r := x.original
	if r.Body == nil || r.Body == http.NoBody {
		x.drained.Store(true)
		return
	}
	if r.Trailer == nil && r.ContentLength < 0 && r.ProtoMajor == 1 {
		// net/http puts unannounced trailers into its own request. The clones share
		// this map, as they share the map of announced trailers.
		r.Trailer = make(http.Header)
		x.req.Trailer = r.Trailer
	}
	x.req.Body = (*requestBody)(x)
}

func (b *requestBody) Read(p []byte) (int, error) {
	x := (*Exchange)(b)
	switch x.state.load() {
	case returned:
		return 0, http.ErrBodyReadAfterClose
	case late, gone:
		return 0, x.lateReadErr()
	}
	x.waiting.Add(1)
	n, err := x.original.Body.Read(p)
	if err != nil && err != io.EOF && x.readTimedOut(err) { //nolint:errorlint // readers return it bare
		x.state.set(readLate) // while waiting, see detectClientGone
	}
	x.waiting.Add(-1)
	x.bytesIn.Add(int64(n))
	switch {
	case err == nil:
	case err == io.EOF: //nolint:errorlint // readers return it bare
		x.drained.Store(true)
		if x.bytesIn.Load() == 0 {
			x.failed(err)
		}
	case x.state.load() == late, x.state.load() == gone:
		err = x.lateReadErr()
	default:
		if x.http2() && connectionEnded(err) && x.state.load() != aborted {
			x.noteClientLeft() // the server ends the body before it ends the context
		}
		x.failed(err)
	}
	return n, err
}

// readTimedOut reports whether a read failed at a deadline that the handler set, or at
// the server's ReadTimeout. In the trailers of a chunked body net/http replaces the
// error of the timeout.
func (x *Exchange) readTimedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) ||
		err != io.ErrUnexpectedEOF && !peerGone(err) && x.pastReadTimeout() //nolint:errorlint // readers return it bare
}

// pastReadTimeout reports whether the server's ReadTimeout has probably passed, on
// HTTP/1. The server has started it earlier than the exchange, when it began to read
// the head. A read deadline set by the handler replaces it.
func (x *Exchange) pastReadTimeout() bool {
	if x.http2() || x.extras().readBy.Load() != 0 {
		return false
	}
	srv := x.server()
	return srv != nil && srv.ReadTimeout > 0 && x.Now() > srv.ReadTimeout*3/4
}

// lateReadErr returns the error of a read after the deadline. It replaces the i/o
// timeout that unblocked the read, or the error that net/http has made of the
// timeout (an unexpected EOF in the trailers of a chunked body).
func (x *Exchange) lateReadErr() error {
	<-x.Done() // the context is about to end
	if cause := context.Cause(x); cause != nil {
		return cause
	}
	return http.ErrBodyReadAfterClose
}

// Close closes the body. The server then reads the rest of the body and may wait
// for the client.
func (b *requestBody) Close() error {
	x := (*Exchange)(b)
	bounded := x.boundRead()
	x.waiting.Add(1)
	err := x.original.Body.Close()
	x.waiting.Add(-1)
	if bounded {
		x.unboundDrain()
	}
	if x.state.load() != late {
		x.drained.Store(true)
	}
	return err
}

// String and Format keep fmt from printing the request.
func (b *requestBody) String() string { return "bulwark.Body" }

// Format: see String.
func (b *requestBody) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("bulwark.Body")) }

// returnRequest removes the files of the parsed form, as the server does, and
// copies the route back for tracing libraries around the exchange.
func (x *Exchange) returnRequest() {
	x.removeTemporaryFiles(&x.req)
	if p := x.req.Pattern; p != "" {
		x.original.Pattern = p
	}
}

// Route returns the pattern that matched, "" if it is unknown. It must be called when
// the handler has returned or was abandoned. The request of an abandoned handler
// belongs to its goroutine, so Route then returns what was found at the deadline.
func (x *Exchange) Route() string {
	if !x.Detached() && x.req.Pattern != "" {
		return x.req.Pattern
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.route
}

// returnRoute is returnRequest for a handler that was abandoned.
func (x *Exchange) returnRoute(r *http.Request) {
	if route := x.Route(); route != "" {
		r.Pattern = route
	}
}

// removeTemporaryFiles removes the files of the form of a clone; the server removes
// only those of its own request.
func (x *Exchange) removeTemporaryFiles(r *http.Request) {
	if f := r.MultipartForm; f != nil && x.original.MultipartForm != f {
		_ = f.RemoveAll() // as net/http does
	}
}

// takeBack copies back what the handler has set in a copy of the request that was
// made between two of our middlewares. The goroutine of an abandoned handler does
// this itself, so the middleware around the handler (outside is true) must not do
// it.
func (x *Exchange) takeBack(r *http.Request, outside bool) {
	if !outside || !x.Detached() {
		HandBack(r, &x.req)
	}
	x.SetRoute(r.Pattern)
}

// HandBack copies what the handler has set in passed, a middleware's copy of the
// request, to handed, the request that the middleware got: the pattern that
// matched, and the form, whose files the server removes. Defer the call, so that it
// also runs if the handler panics.
func HandBack(passed, handed *http.Request) {
	if passed == handed {
		return
	}
	if passed.Pattern != "" {
		handed.Pattern = passed.Pattern
	}
	if handed.MultipartForm == nil {
		handed.MultipartForm = passed.MultipartForm
	}
}

// isPart reports whether r is a part of a batch: a new request with another target,
// which the handler serves with the exchange in its context, perhaps on another
// goroutine. If middleware has only rewritten the target of the exchange's request,
// w is still the exchange's writer.
func (x *Exchange) isPart(w http.ResponseWriter, r *http.Request) bool {
	return r != &x.req && r.RequestURI != x.original.RequestURI && !x.Response().Owns(w)
}

// NoteRoute is like SetRoute with the pattern of r, unless r is a part of a batch.
func (x *Exchange) NoteRoute(w http.ResponseWriter, r *http.Request) {
	if !x.isPart(w, r) {
		x.SetRoute(r.Pattern)
	}
}

// SetRoute records the pattern that matched. The timer's goroutine cannot read the
// pattern from the request, because the request belongs to the handler's goroutine.
// So the handler's goroutine records the pattern when it passes through the
// exchange.
func (x *Exchange) SetRoute(pattern string) {
	if pattern == "" {
		return
	}
	x.mu.Lock()
	x.route = pattern
	x.mu.Unlock()
}
