package exchange

import "net/http"

// Stamp sets a header of the response before the handler runs: for the handler,
// and where a deadline is armed also on the wire, so that the deadline's own
// answer carries it.
func (x *Exchange) Stamp(w http.ResponseWriter, key string, value []string) {
	w.Header()[key] = value
	if x.headers.Load() != headersShared && x.begin() == nil {
		x.inner.w.Header()[key] = value
		x.done()
	}
}

// WireHeader is the server's own header map. It may be read once the request
// has ended: at the deadline the handler has a map of its own.
func (x *Exchange) WireHeader() http.Header {
	if e := x.expiry.Load(); e != nil && e.header != nil {
		return e.header
	}
	return x.inner.w.Header()
}

// Sent reports how much of the response is known to have been handed to the
// kernel when the request ended: its head, and the whole of it.
func (x *Exchange) Sent() (head, whole bool) {
	x.wmu.Lock()
	defer x.wmu.Unlock()
	if !x.committed.Load() {
		return false, false
	}
	all := x.flushed && x.declared >= 0 && x.written >= x.declared || x.onWire() && !x.hasBody()
	return x.onWire(), all && !x.cut && x.rare().writeErr == nil
}

// Original is the request as it came to the outermost middleware. What it
// shares with the clone that the handler has, its maps, its URL and its body,
// is the handler's while that runs; the rest nobody changes.
func (x *Exchange) Original() *http.Request { return x.original }
