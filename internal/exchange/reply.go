package exchange

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
)

// runErrorHandler returns the answer that the ErrorHandler writes. If the
// ErrorHandler panics, exits its goroutine, does not return in time, or writes
// nothing or too much, runErrorHandler returns the default answer.
func (x *Exchange) runErrorHandler(d *Deadline, outer http.Header, err error) *reply {
	rep := &reply{header: outer.Clone()}
	ok := x.containFor("ErrorHandler", func() { d.Responder.Answer(rep, x.snapshot(), err) })
	if full := rep.full.Swap(true); full || !ok { // if it is still running, it can write nothing more
		ok = false
		x.Notes.addOwn(errHook, func(*noted) {})
	}
	if !ok || rep.status < 200 {
		rep = &reply{header: outer}
		d.Responder.Default(rep, err)
	}
	return rep
}

var (
	errHook      = errors.New("bulwark: ErrorHandler did not return, or wrote too much")
	errReplyFull = errors.New("bulwark: the response at the deadline is over or too large")
)

// maxReply bounds the memory of an answer.
const maxReply = 4 << 20

// reply collects an answer, so that it can be sent with its length.
type reply struct {
	header http.Header
	status int
	body   bytes.Buffer
	full   atomic.Bool // nothing more can be written
}

func (r *reply) Header() http.Header { return r.header }

func (r *reply) WriteHeader(code int) {
	if code < 100 || code > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", code)) // the same as net/http
	}
	if r.status == 0 && code >= 200 {
		r.status = code
	}
}

func (r *reply) Write(p []byte) (int, error) {
	if r.full.Load() || len(p) > maxReply-r.body.Len() {
		r.full.Store(true)
		return 0, errReplyFull
	}
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// sanitize removes and sets headers so that the answer can be sent over the
// request's protocol.
func (x *Exchange) sanitize(rep *reply) {
	h := rep.header
	length := strconv.Itoa(rep.body.Len())
	if x.original.Method == http.MethodHead && rep.body.Len() == 0 { // it says what a GET would have
		length = h.Get("Content-Length")
	}
	deleteFields(h, "Connection", "Content-Length", "Transfer-Encoding", "Trailer", "Keep-Alive", "Proxy-Connection", "Upgrade")
	for k := range h {
		if len(k) > len(http.TrailerPrefix) && k[:len(http.TrailerPrefix)] == http.TrailerPrefix {
			delete(h, k)
		}
	}
	switch rep.status {
	case http.StatusNoContent, http.StatusNotModified:
		rep.body.Reset()
	default:
		if _, err := strconv.ParseUint(length, 10, 63); err == nil {
			h.Set("Content-Length", length)
		}
		if _, ok := h["Content-Type"]; !ok && rep.body.Len() > 0 && h.Get("Content-Encoding") == "" {
			h.Set("Content-Type", http.DetectContentType(rep.body.Bytes()))
		}
	}
	if !x.http2() { // on HTTP/2 it would close the connection with all its streams
		h.Set("Connection", "close")
	}
}

// deleteFields deletes fields, also if their keys are not canonical. net/http sends
// such keys unchanged, and on HTTP/2 a response with a Connection field is
// malformed.
func deleteFields(h http.Header, names ...string) {
	for k := range h {
		if slices.Contains(names, http.CanonicalHeaderKey(k)) {
			delete(h, k)
		}
	}
}

// KeepNegotiationHeaders stores the headers of the request that are used to
// negotiate an answer. It must be called before the handler runs, because at the
// deadline the handler may be changing the request's maps. It takes the lock,
// because an inner middleware may call it while an outer deadline is being
// answered.
func (x *Exchange) KeepNegotiationHeaders(h http.Header) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.accept, x.acceptLanguage = h["Accept"], h["Accept-Language"]
}

// snapshot returns a request for an answer that is written while the handler runs.
// It has the fields that a handler cannot change, and the headers that were kept.
func (x *Exchange) snapshot() *http.Request {
	header := make(http.Header)
	x.mu.Lock()
	accept, language := x.accept, x.acceptLanguage
	x.mu.Unlock()
	if len(accept) > 0 {
		header["Accept"] = accept
	}
	if len(language) > 0 {
		header["Accept-Language"] = language
	}
	return x.bare(header)
}

// bare returns the fields of the request that no handler can change.
func (x *Exchange) bare(header http.Header) *http.Request {
	o := x.original
	u, err := url.ParseRequestURI(o.RequestURI)
	if err != nil {
		u = &url.URL{Path: "/"}
	}
	return (&http.Request{
		Method: o.Method, URL: u, RequestURI: o.RequestURI, Host: o.Host, RemoteAddr: o.RemoteAddr,
		Proto: o.Proto, ProtoMajor: o.ProtoMajor, ProtoMinor: o.ProtoMinor, TLS: o.TLS,
		Header: header, Body: http.NoBody,
	}).WithContext(x)
}
