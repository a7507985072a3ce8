package errmap

import (
	"bufio"
	"net"
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/respwriter"
)

// tracker records what is written to a writer that other middleware wrapped around
// the exchange's writer. Such a writer may buffer the response, as a compressor
// does, and the exchange then has not seen it yet. While a Render runs, prepared is
// the Problem that the headers were prepared for.
type tracker struct {
	respwriter.Tracker
	taken    bool
	prepared *Problem
}

// track wraps w unless it is the exchange's own writer or has a tracker. The result
// has w's Flusher, Hijacker and Pusher. It does not have w's io.ReaderFrom, because
// a wrapper has to see the bytes.
func track(w http.ResponseWriter, x *exchange.Exchange) http.ResponseWriter {
	if x.Response().IsWriter(w) || tracked(w) != nil {
		return w
	}
	return newTracker(w).shape()
}

// tracked returns the tracker of w, or nil.
func tracked(w http.ResponseWriter) *tracker {
	for range 64 { // a writer may unwrap to itself
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

func newTracker(w http.ResponseWriter) *tracker {
	return &tracker{Tracker: respwriter.Tracker{ResponseWriter: w}}
}

func (t *tracker) tracking() *tracker { return t }

// The optional interfaces.
type (
	trackFlush  struct{ t *tracker }
	trackHijack struct{ t *tracker }
	trackPush   struct{ t *tracker }
)

func (f trackFlush) Flush() {
	f.t.Begin()
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

// shape returns the tracker with exactly the optional interfaces of the writer it
// wraps.
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
	}
	return t
}
