package exchange

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Which header map the handler has.
const (
	// headersServers: the server's map. No deadline can answer.
	headersServers uint32 = iota
	// headersLent: the server's map, although a deadline may answer from another
	// goroutine. This is possible only for net/http's own HTTP/1 writer, because an
	// answer can be written without its map; see answer.
	headersLent
	// headersLentUsed: like headersLent, and the handler has called Header.
	headersLentUsed
	// headersReclaimed: the handler had not called Header, and an answer uses the
	// server's map. If the handler calls Header now, it gets a map whose headers
	// are not sent.
	headersReclaimed
	// headersCopyOnUse: a copy, which is made when the handler calls Header.
	headersCopyOnUse
	// headersCopied: a copy, which has been made.
	headersCopied
)

// Header returns the server's map, or a copy of it while a deadline may answer
// from another goroutine; see above. It also records the request's pattern, which
// a router may have set, because a deadline must not read it while the handler
// runs.
func (w *responseWriter) Header() http.Header {
	x := (*Exchange)(w)
	headers := x.headers.Load()
	if headers != headersServers {
		x.SetRoute(x.req.Pattern)
	}
	switch headers {
	case headersLent:
		if !x.headers.CompareAndSwap(headersLent, headersLentUsed) {
			return w.Header() // reclaimed
		}
		return x.inner.Header()
	case headersServers, headersLentUsed:
		return x.inner.Header()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.own == nil {
		if s := x.state.load(); s != late && s != gone && x.headers.Load() != headersReclaimed {
			x.own = x.inner.Header().Clone()
		}
		if x.own == nil {
			x.own = make(http.Header)
		}
		x.headers.CompareAndSwap(headersCopyOnUse, headersCopied)
	}
	return x.own
}

// separateHeaders chooses the header map for a request with a deadline, with mu
// held.
func (x *Exchange) separateHeaders(r *Rules) {
	if x.headers.Load() != headersServers {
		return
	}
	if !r.isHTTP1Writer(x.inner) {
		x.headers.Store(headersCopyOnUse)
		return
	}
	x.headers.Store(headersLent)
	h := x.inner.Header()
	if len(h) > 1 || len(h) == 1 && (x.idHeader == nil || h[x.idHeader.Key] == nil) {
		x.ensureExtras().outer = h.Clone()
	}
}

// outerHeaders returns the headers that outer middleware had set before the handler
// ran. A deadline's answer begins with them.
func (x *Exchange) outerHeaders() http.Header {
	if h := x.headers.Load(); h != headersLent && h != headersLentUsed {
		h := x.inner.Header().Clone()
		if h == nil {
			h = make(http.Header)
		}
		return h
	}
	h := x.extras().outer.Clone()
	if h == nil {
		h = make(http.Header)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.idHeader != nil {
		h[x.idHeader.Key] = []string{x.idHeader.Value}
	}
	return h
}

// http1Writer is the name of net/http's own HTTP/1 writer, which it does not
// export.
const http1Writer = "*http.response"

// isHTTP1Writer reports whether w is net/http's own HTTP/1 writer. It compares
// types if it can, which is cheaper than to compare names.
func (r *Rules) isHTTP1Writer(w http.ResponseWriter) bool {
	t := reflect.TypeOf(w)
	if known := r.http1.Load(); known != nil && *known == t {
		return true
	}
	if !isHTTP1Writer(t) {
		return false
	}
	seen := t // t itself would be allocated each time
	r.http1.Store(&seen)
	return true
}

func isHTTP1Writer(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.String() == http1Writer && t.Elem().PkgPath() == "net/http"
}

// copyHeaders copies the handler's headers to the server's map, if the handler
// has its own.
func (x *Exchange) copyHeaders() {
	if x.headers.Load() != headersCopied {
		return
	}
	x.mu.Lock()
	own := x.own
	x.mu.Unlock()
	wire := x.inner.Header()
	maps.DeleteFunc(wire, func(k string, _ []string) bool { _, ok := own[k]; return !ok })
	maps.Copy(wire, own)
}

// keepOneID removes values that the handler has added to the request id of the
// response, as a proxy does when it copies the header of its upstream. If the
// handler has replaced the id, its value is kept. After an informational response
// the id is set again, because httputil.ReverseProxy then clears the header.
func (x *Exchange) keepOneID() {
	x.mu.Lock()
	s := x.idHeader
	x.mu.Unlock()
	if s == nil {
		return
	}
	wire := x.inner.Header()
	if ids := wire[s.Key]; x.extras().idSent || len(ids) > 1 && ids[0] == s.Value {
		wire[s.Key] = []string{s.Value}
	}
}

// shareHeaders gives the server's map to the handler when no deadline can answer
// any more.
func (x *Exchange) shareHeaders() {
	x.takeHeaders()
	if x.headers.Swap(headersServers) == headersCopied {
		x.mu.Lock()
		x.own = nil
		x.mu.Unlock()
	}
}

// takeHeaders copies the handler's headers to the server's map if the server may still
// need them.
func (x *Exchange) takeHeaders() {
	if x.headers.Load() == headersCopied && (!x.committed.Load() || x.mayHaveTrailers()) {
		x.copyHeaders()
	}
}

// returnHeaders shares the headers when the deadlines have ended, because middleware
// between the exchange and its deadlines may have kept the server's map.
func (x *Exchange) returnHeaders() {
	if h := x.headers.Load(); h != headersCopied && h != headersCopyOnUse || x.state.load() != open {
		return
	}
	if x.serverFinished() || x.begin() != nil {
		return
	}
	defer x.recoverFinished()
	defer x.done()
	x.takeHeaders()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.innermost.Load() == nil { // a part of the request may have got a deadline meanwhile
		x.headers.Store(headersServers)
		x.own = nil
	}
}

// mayHaveTrailers reports whether the handler may have set trailers in its own map,
// which the server does not see.
func (x *Exchange) mayHaveTrailers() bool {
	if _, announced := x.inner.Header()["Trailer"]; announced { // as it was when the response was committed
		return true
	}
	x.mu.Lock()
	own := x.own
	x.mu.Unlock()
	for k := range own {
		if strings.HasPrefix(k, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// declaredLength returns the Content-Length that the server uses, or -1.
func declaredLength(h http.Header) int64 {
	if v := h["Content-Length"]; len(v) > 0 {
		if n, err := strconv.ParseInt(v[0], 10, 64); err == nil && n >= 0 {
			return n
		}
	}
	return -1
}

// writeInformational sends a 1xx with the handler's current headers. Afterwards it
// removes these headers from the server's map, because a deadline's answer must not
// have them.
func (x *Exchange) writeInformational(code int) {
	wire := x.inner.Header()
	if x.headers.Load() == headersCopied {
		before := wire.Clone()
		defer func() {
			clear(wire)
			maps.Copy(wire, before)
		}()
		x.copyHeaders()
	}
	x.keepOneID()
	if _, declared := wire["Content-Length"]; x.http2() && !declared {
		// On HTTP/2 net/http passes the map itself to the goroutine that writes the
		// frame, and if the connection breaks, it does not wait for that goroutine.
		// It makes a copy only if it has to remove a Content-Length, which an
		// informational response must not have.
		wire.Set("Content-Length", "0")
		defer wire.Del("Content-Length")
	}
	x.mu.Lock()
	id := x.idHeader
	x.mu.Unlock()
	if id != nil {
		x.ensureExtras().idSent = slices.Equal(wire[id.Key], []string{id.Value})
	}
	x.inner.WriteHeader(code)
}

// IDHeader is the header of the response that has the request's id. It does not
// change.
type IDHeader struct{ Key, Value string }

// SetIDHeader sets the header, also for a deadline's answer. It is called before
// the handler runs. values contains the value of s and is stored in the map.
func (r *Response) SetIDHeader(w http.ResponseWriter, s *IDHeader, values []string) {
	x := (*Exchange)(r)
	w.Header()[s.Key] = values
	x.mu.Lock()
	x.idHeader = s
	x.mu.Unlock()
	if x.headers.Load() >= headersCopyOnUse && x.begin() == nil {
		x.inner.Header()[s.Key] = values
		x.done()
	}
}

// ImplicitHeader returns the headers of the 200 that the server sends if the
// handler has returned without writing anything; nil if the response was
// committed.
func (r *Response) ImplicitHeader() http.Header {
	x := (*Exchange)(r)
	if x.committed.Load() || x.wasHijacked() {
		return nil
	}
	return x.inner.Header()
}
