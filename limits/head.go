package limits

import (
	"math"
	"net/http"
)

// longURI returns why a request is refused for its target.
func (p *policy) longURI(r *http.Request) error {
	if p.MaxURIBytes == 0 {
		return nil
	}
	n := len(r.RequestURI)
	if n == 0 && r.URL != nil { // net/http/fcgi and net/http/cgi do not set RequestURI
		n = len(r.URL.RequestURI())
	}
	if n <= p.MaxURIBytes {
		return nil
	}
	return &Error{
		Reason: ReasonURI, Limit: int64(p.MaxURIBytes), Got: int64(n),
		what: "request target too long, in bytes", status: http.StatusRequestURITooLong,
	}
}

// largeHeader returns why a request is refused for its header.
func (p *policy) largeHeader(r *http.Request) error {
	if p.MaxHeaderBytes == 0 && p.MaxHeaderFields == 0 {
		return nil
	}
	size, fields := measure(r)
	switch {
	case p.MaxHeaderFields > 0 && fields > p.MaxHeaderFields:
		return headerError("too many header fields", p.MaxHeaderFields, fields)
	case p.MaxHeaderBytes > 0 && size > p.MaxHeaderBytes:
		return headerError("header too large, in bytes", p.MaxHeaderBytes, size)
	}
	return nil
}

func headerError(what string, limit, got int) *Error {
	return &Error{
		Reason: ReasonHeader, Limit: int64(limit), Got: int64(got),
		what: what, status: http.StatusRequestHeaderFieldsTooLarge,
	}
}

// fieldOverhead is what HTTP/1 adds to the name and the value of a field.
const fieldOverhead = len(": \r\n")

// measure returns the size of a request's header as HTTP/1 would write it, and the
// number of its fields. HTTP/2 compresses them, but they take the same memory.
// net/http removes two fields from the map: Host (:authority in HTTP/2) and
// Trailer. Each name in Trailer is an entry in another map and counts as a field.
func measure(r *http.Request) (size, fields int) {
	for name, values := range r.Header {
		fields += len(values)
		for _, v := range values {
			size += len(name) + len(v) + fieldOverhead
		}
	}
	if r.Host != "" && r.Header["Host"] == nil {
		fields++
		size += len("Host") + len(r.Host) + fieldOverhead
	}
	fields += len(r.Trailer)
	for name := range r.Trailer {
		size += len(name) + fieldOverhead
	}
	return size, fields
}

// largeBody returns why a request is refused for its declared length.
func (p *policy) largeBody(r *http.Request) error {
	if r.ContentLength <= p.ceiling() {
		return nil
	}
	return &http.MaxBytesError{Limit: p.MaxBodyBytes}
}

// ceiling returns the largest body that any route may allow.
func (p *policy) ceiling() int64 {
	if p.MaxBodyBytes == 0 {
		return math.MaxInt64
	}
	return max(p.MaxBodyBytes, p.BodyCeiling)
}
