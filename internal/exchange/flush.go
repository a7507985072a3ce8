package exchange

import (
	"errors"
	"net/http"

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
// for it.
func (x *Exchange) flush() error {
	headFirst := x.Parent().Err() == nil && (x.http2() && x.written > 0 || x.written > bufferedHTTP1)
	ignored := x.bodyIgnored()
	err := http.NewResponseController(x.inner).Flush()
	if err == nil || ignored || headFirst && !errors.Is(err, http.ErrNotSupported) {
		x.flushed = true
	}
	if ignored {
		return nil
	}
	return err
}

// bodyIgnored reports whether the server discards what is written next. On HTTP/2
// the head of a response to HEAD ends the stream. Writes may then fail, and the
// request's context ends with the stream.
func (x *Exchange) bodyIgnored() bool {
	return x.http2() && x.original.Method == http.MethodHead &&
		(x.onWire() || x.Parent().Err() == nil && !x.pastWriteTimeout())
}
