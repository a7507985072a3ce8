package exchange

import (
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/bulwark-go/bulwark/internal/respwriter"
)

// FlushError flushes. The error matches http.ErrNotSupported if the server's
// writer cannot flush.
func (w *responseWriter) FlushError() error {
	x := (*Exchange)(w)
	if err := x.begin(); err != nil {
		return err
	}
	defer x.done()
	if respwriter.CanFlush(x.inner) {
		x.implicit()
	}
	if x.boundDrain() {
		defer x.unboundDrain()
	}
	err := x.flushForHandler()
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		x.wrote(0, err)
	} else if err == nil && x.streams() {
		x.lastWrite.Store(int64(x.Now()))
	}
	return err
}

// flushForHandler is like flush, for a flush of the handler: the write deadline may
// be one that the handler or the server has set.
func (x *Exchange) flushForHandler() error {
	flushed, before := x.flushed, x.state.load()
	err := x.flush()
	if err == nil && (x.state.load() == before || respwriter.ReportsFlush(x.inner)) {
		return nil
	}
	if err == nil || x.brokenSince(before, err) {
		x.flushed = flushed
	}
	return err
}

// flush passes the written bytes to the kernel. Even if the flush fails, the head
// was sent, because the head comes first and our own deadlines leave enough time
// for it; see brokenAtOnce for the exception.
func (x *Exchange) flush() error {
	headFirst := x.Parent().Err() == nil && (x.http2() && x.written > 0 || x.written > bufferedHTTP1)
	var began time.Duration
	if x.state.load() != open {
		began = x.Now()
	}
	ignored := x.bodyIgnored()
	err := http.NewResponseController(x.inner).Flush()
	if err == nil || ignored || headFirst && !errors.Is(err, http.ErrNotSupported) && !x.brokenAtOnce(began, err) {
		x.flushed = true
	}
	if ignored {
		return nil
	}
	return err
}

// brokenAtOnce reports whether a flush of ours was broken by something that happened
// before it, perhaps before the head was sent: the server's WriteTimeout, or the end of
// the connection. A stream that the client resets is none of these, because clients do
// that when they have read the head. began is 0 for other flushes.
func (x *Exchange) brokenAtOnce(began time.Duration, err error) bool {
	return began > 0 && x.Now()-began < headGrace && (errors.Is(err, os.ErrDeadlineExceeded) || connectionEnded(err))
}

// bodyIgnored reports whether the server discards what is written next. On HTTP/2
// the head of a response to HEAD ends the stream. Writes may then fail, and the
// request's context ends with the stream.
func (x *Exchange) bodyIgnored() bool {
	return x.http2() && x.original.Method == http.MethodHead &&
		(x.onWire() || x.Parent().Err() == nil && !x.pastWriteTimeout())
}
