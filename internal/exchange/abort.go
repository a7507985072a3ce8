package exchange

import (
	"io"
	"net"
	"net/http"
	"reflect"
	"time"

	"github.com/bulwark-go/bulwark/internal/respwriter"
)

// Abort aborts a response that must not end cleanly. It also aborts a response that
// has not begun, because inner middleware may still have a part of it in a buffer.
// What was written is sent, later writes are refused, the transport is broken, and
// the owner panics with http.ErrAbortHandler. Abort does nothing if the connection
// is hijacked or the response is already complete.
func (r *Response) Abort() {
	x := (*Exchange)(r)
	if x.begin() != nil {
		return
	}
	defer x.done()
	if x.complete() {
		return
	}
	if _, ok := x.state.moveTo(aborted); !ok {
		return
	}
	begun := x.committed.Load()
	x.breakTransport(begun)
	if begun && x.untilClose() {
		x.closeConn() // the server would end the response as if it were complete
	}
}

// breakTransport breaks the transport of a response that has begun, with wmu held.
// With flush it first flushes the response, so the client gets what was written,
// and the status is known to be sent. It does not flush if a flush would complete
// the response.
func (x *Exchange) breakTransport(flush bool) {
	x.cut = true
	if flush && (x.flushed || !x.complete()) {
		_ = x.setWriteDeadline(time.Now().Add(abortTimeout))
		_ = x.flush() // the response is broken even if this fails
	}
	_ = x.setWriteDeadline(expired)
}

// complete reports whether the response is already complete.
func (x *Exchange) complete() bool {
	return x.committed.Load() && !x.state.has(trailing) && (!x.hasBody() || x.declared >= 0 && x.written >= x.declared)
}

// hasBody reports whether the response may have a body (RFC 9110 section 6.4.1).
func (x *Exchange) hasBody() bool {
	return x.original.Method != http.MethodHead &&
		x.status != http.StatusNoContent && x.status != http.StatusNotModified
}

// untilClose reports whether the end of the connection ends the body (RFC 9112
// section 6.3). Only a reset then distinguishes a broken response from a complete
// one.
func (x *Exchange) untilClose() bool {
	if x.http2() || !x.hasBody() || x.declared >= 0 {
		return false
	}
	return !x.original.ProtoAtLeast(1, 1) || x.identity
}

// hijackServer hijacks an HTTP/1 connection while the handler runs. It calls the
// server's own writer, because outer middleware should not see a hijack.
func (x *Exchange) hijackServer() net.Conn {
	if x.http2() || x.serverFinished() {
		return nil
	}
	if outer, ok := respwriter.Find[*responseWriter](x.inner); ok { // an outer exchange uses the same connection
		return (*Exchange)(outer).hijackServer()
	}
	e := x.ensureExtras()
	e.hijacking.Lock()
	defer e.hijacking.Unlock()
	h, ok := respwriter.Innermost(x.inner).(http.Hijacker)
	if !ok {
		return nil
	}
	conn, _, err := h.Hijack()
	if err != nil {
		return nil
	}
	return conn
}

// closeConn closes the connection of an HTTP/1 response so that the client sees
// that the response is incomplete.
//
// A write deadline in the past only makes the server's next write fail. The client
// would see nothing until the handler returns, and a stuck handler does not return.
// Middleware can reach the connection only by a hijack.
func (x *Exchange) closeConn() {
	conn := x.hijackServer()
	if conn == nil {
		return
	}
	inner := innermostConn(conn)
	if tcp, ok := inner.(interface{ SetLinger(sec int) error }); ok && x.untilClose() {
		_ = tcp.SetLinger(0)
	}
	// Closing a TLS connection properly would look like a clean end, and would
	// wait for a client that does not read, so the transport is closed first. The
	// outer connection is closed as well, because listeners count connections.
	_ = inner.Close()
	if inner != conn {
		_ = conn.Close()
	}
}

// closeStuck closes an HTTP/1 connection if the handler is still running when a
// deadline passes after the client has left. It holds wmu, so that the handler's use
// of the response does not end meanwhile; see handBack.
func (x *Exchange) closeStuck() {
	x.wmu.Lock()
	defer x.wmu.Unlock()
	x.control.Lock()
	ended := x.controlOff
	x.control.Unlock()
	if !ended {
		x.closeConn()
	}
}

// innermostConn returns the connection at the end of a chain of wrappers. tls.Conn
// and others have a method NetConn. The wrapper of golang.org/x/net/netutil only
// has a field.
func innermostConn(conn net.Conn) net.Conn {
	for range 16 {
		switch c := conn.(type) {
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			inner := embeddedConn(conn)
			if inner == nil {
				return conn
			}
			conn = inner
		}
	}
	return conn
}

// embeddedConn returns the net.Conn that a struct embeds, or nil.
func embeddedConn(conn net.Conn) net.Conn {
	v := reflect.ValueOf(conn)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	f := v.FieldByName("Conn")
	if !f.IsValid() || !f.CanInterface() {
		return nil
	}
	inner, _ := reflect.TypeAssert[net.Conn](f)
	return inner
}

// closeGently closes a connection after an answer that did not wait for the rest of
// the request (RFC 9112 section 9.6). It first closes the write side, and for a
// short time discards what the client still sends. A connection that is closed with
// unread data is reset, and the client may lose the answer.
func closeGently(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	inner := innermostConn(conn)
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		half, ok = inner.(interface{ CloseWrite() error })
	}
	if !ok || half.CloseWrite() != nil {
		return
	}
	if inner.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, inner, lingerBytes)
	}
}

// Bounds for reading the rest of a request after an answer. Reading ends at the
// first bound that is reached. A client that reads only after it has sent
// everything has this much time to send it.
const (
	lingerTime  = time.Second
	lingerBytes = 256 << 20
	drainTime   = 500 * time.Millisecond
	drainBytes  = 256 << 10 // as much as net/http reads
)

// drainRequest reads the rest of the request for a short time. It is called if a
// deadline was answered and the handler has returned, because the server then
// closes the connection; see closeGently.
func (x *Exchange) drainRequest() {
	if x.http2() || x.drained.Load() || x.wasHijacked() || x.serverFinished() {
		return
	}
	if x.setReadDeadline(time.Now().Add(drainTime)) == nil {
		_, _ = io.CopyN(io.Discard, x.original.Body, drainBytes)
		_ = x.setReadDeadline(expired)
	}
}
