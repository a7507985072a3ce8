package limits

import (
	"math"
	"net/http"
)

// longURI is why a request is refused for its target.
func (p *policy) longURI(r *http.Request) error {
	if p.MaxURIBytes == 0 || len(r.RequestURI) <= p.MaxURIBytes {
		return nil
	}
	return &Error{
		Reason: ReasonURI, Limit: int64(p.MaxURIBytes), Got: int64(len(r.RequestURI)),
		what: "request target too long, in bytes", status: http.StatusRequestURITooLong,
	}
}

// largeHeader is why a request is refused for its header.
func (p *policy) largeHeader(r *http.Request) error {
	if p.MaxHeaderBytes == 0 && p.MaxHeaderFields == 0 {
		return nil
	}
	size, fields := measure(r.Header)
	switch {
	case p.MaxHeaderFields > 0 && fields > p.MaxHeaderFields:
		return tooMuchHeader("too many header fields", p.MaxHeaderFields, fields)
	case p.MaxHeaderBytes > 0 && size > p.MaxHeaderBytes:
		return tooMuchHeader("header too large, in bytes", p.MaxHeaderBytes, size)
	}
	return nil
}

func tooMuchHeader(what string, limit, got int) *Error {
	return &Error{
		Reason: ReasonHeader, Limit: int64(limit), Got: int64(got),
		what: what, status: http.StatusRequestHeaderFieldsTooLarge,
	}
}

// measure is the size of a header as HTTP/1 would write it, and how many
// fields it has. HTTP/2 compresses them, but in memory they are as large.
func measure(h http.Header) (size, fields int) {
	const around = len(": \r\n")
	for name, values := range h {
		fields += len(values)
		for _, v := range values {
			size += len(name) + len(v) + around
		}
	}
	return size, fields
}

// largeBody is why a request is refused for the length that the client
// declared.
func (p *policy) largeBody(r *http.Request) error {
	if r.ContentLength <= p.ceiling() {
		return nil
	}
	return &http.MaxBytesError{Limit: p.MaxBodyBytes}
}

// ceiling is the largest body that any route may allow.
func (p *policy) ceiling() int64 {
	if p.MaxBodyBytes == 0 {
		return math.MaxInt64
	}
	return max(p.MaxBodyBytes, p.BodyCeiling)
}
