package exchange

import (
	"net"
	"net/http"
)

// sever closes the connection of an HTTP/1 response, and lets the client see
// that the response was not complete.
//
// A write deadline in the past makes the server fail at its next write; it tells
// the client nothing before the handler has returned, which a stuck one never
// does. Of what middleware can reach, only a hijack gets at the connection. It
// is asked of the server's own writer: to the writers in between nobody has
// taken the connection over.
func (x *Exchange) sever() {
	if x.original.ProtoMajor >= 2 {
		return // there the deadline has reset the stream
	}
	h, ok := innermost(x.inner.w).(http.Hijacker)
	if !ok {
		return
	}
	conn, _, err := h.Hijack()
	if err != nil {
		return
	}
	// Under TLS a proper end would be a clean end, and wait for a client that
	// does not read.
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = t.NetConn()
	}
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok && x.untilClose() {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// untilClose reports whether the end of the connection is what ends the body
// (RFC 9112 section 6.3): there only a reset tells a broken response from a
// complete one.
func (x *Exchange) untilClose() bool {
	if x.original.ProtoMajor >= 2 || !x.hasBody() || x.declared >= 0 {
		return false
	}
	return !x.original.ProtoAtLeast(1, 1) || x.inner.w.Header().Get("Transfer-Encoding") == "identity"
}
