package exchange

import (
	"net/http"
	"net/url"
)

// KeepForAnswer remembers the headers of the request that an answer may be
// negotiated by. To be called before the handler runs: at the deadline the
// request's maps are in the handler's hands.
func (x *Exchange) KeepForAnswer(h http.Header) {
	s := x.rarely()
	for _, k := range [...]string{"Accept", "Accept-Language"} {
		if v := h[k]; len(v) > 0 {
			if s.accept == nil {
				s.accept = make(http.Header, 2)
			}
			s.accept[k] = v
		}
	}
}

// snapshot is the request as an answer may see it while the handler runs: what
// no handler can have changed, and the headers that were kept.
func (x *Exchange) snapshot() *http.Request {
	o := x.original
	u, err := url.ParseRequestURI(o.RequestURI)
	if err != nil {
		u = &url.URL{Path: "/"}
	}
	header := make(http.Header)
	if kept := x.rare().accept; kept != nil {
		header = kept
	}
	return (&http.Request{
		Method: o.Method, URL: u, RequestURI: o.RequestURI, Host: o.Host, RemoteAddr: o.RemoteAddr,
		Proto: o.Proto, ProtoMajor: o.ProtoMajor, ProtoMinor: o.ProtoMinor, TLS: o.TLS,
		Header: header, Body: http.NoBody,
	}).WithContext(x)
}
