package errmap

import (
	"bufio"
	"errors"
	"net"
	"net/http"
)

// tracker sees what is written to a writer that somebody wrapped around the
// exchange's: a compressor may hold it back, so that the exchange knows nothing
// of it yet.
type tracker struct {
	http.ResponseWriter
	status int
	taken  bool
}

// track wraps w, unless it is the exchange's own writer or tracked already. The
// writer has the Flusher, Hijacker and Pusher of w; io.ReaderFrom is given up,
// the wrapper in between has no use for it.
func track(w, own http.ResponseWriter) http.ResponseWriter {
	if w == own || tracked(w) != nil {
		return w
	}
	return (&tracker{ResponseWriter: w}).shape()
}

// tracked finds the tracker that w leads to.
func tracked(w http.ResponseWriter) *tracker {
	for range 64 { // a writer that unwraps to itself must not hang a request
		if t, ok := w.(interface{ tracking() *tracker }); ok {
			return t.tracking()
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = u.Unwrap()
	}
	return nil
}

func (t *tracker) tracking() *tracker { return t }

// Unwrap is for http.ResponseController.
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// WriteHeader notes the final status; 101 is one.
func (t *tracker) WriteHeader(status int) {
	if t.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

// Write notes the 200 that a first write means.
func (t *tracker) Write(p []byte) (int, error) {
	t.begin()
	return t.ResponseWriter.Write(p)
}

func (t *tracker) begin() {
	if t.status == 0 {
		t.status = http.StatusOK
	}
}

// FlushError flushes; a first flush means a 200.
func (t *tracker) FlushError() error {
	err := http.NewResponseController(t.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		t.begin()
	}
	return err
}

// The optional interfaces, each a type of its own.
type (
	trackFlush  struct{ t *tracker }
	trackHijack struct{ t *tracker }
	trackPush   struct{ t *tracker }
)

func (f trackFlush) Flush() {
	f.t.begin()
	f.t.ResponseWriter.(http.Flusher).Flush()
}

func (h trackHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := h.t.ResponseWriter.(http.Hijacker).Hijack()
	h.t.taken = h.t.taken || err == nil
	return conn, rw, err
}

func (p trackPush) Push(target string, opts *http.PushOptions) error {
	return p.t.ResponseWriter.(http.Pusher).Push(target, opts)
}

// shape is the tracker with exactly the optional interfaces of what it wraps.
func (t *tracker) shape() http.ResponseWriter {
	_, flush := t.ResponseWriter.(http.Flusher)
	_, hijack := t.ResponseWriter.(http.Hijacker)
	_, push := t.ResponseWriter.(http.Pusher)
	f, h, p := trackFlush{t}, trackHijack{t}, trackPush{t}
	switch {
	case flush && hijack && push:
		return struct {
			*tracker
			trackFlush
			trackHijack
			trackPush
		}{t, f, h, p}
	case flush && hijack:
		return struct {
			*tracker
			trackFlush
			trackHijack
		}{t, f, h}
	case flush && push:
		return struct {
			*tracker
			trackFlush
			trackPush
		}{t, f, p}
	case hijack && push:
		return struct {
			*tracker
			trackHijack
			trackPush
		}{t, h, p}
	case flush:
		return struct {
			*tracker
			trackFlush
		}{t, f}
	case hijack:
		return struct {
			*tracker
			trackHijack
		}{t, h}
	case push:
		return struct {
			*tracker
			trackPush
		}{t, p}
	default:
		return t
	}
}
