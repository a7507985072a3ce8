package exchange

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// transportAction is what to do with the transport of a request that has ended
// and whose handler does not return.
type transportAction uint8

const (
	actNone  transportAction = iota
	actClose                 // HTTP/1: the answer was sent with Connection: close
	actAbort                 // HTTP/1: the response is broken, and the client must see that
	actReset                 // HTTP/2: the stream would stay open as long as the handler runs
)

func (l transportAction) apply(x *Exchange) {
	switch l {
	case actClose:
		if conn := x.hijackServer(); conn != nil {
			go closeGently(conn)
		}
	case actAbort:
		x.closeConn()
	case actReset:
		time.AfterFunc(resetGrace, x.resetStream)
	}
}

// resetStream resets a stream whose handler still runs. By now the client has had
// time to read the answer. If the reset came together with the answer, the client
// could lose the answer.
func (x *Exchange) resetStream() {
	x.serverFinished() // sets controlOff
	x.control.Lock()
	defer x.control.Unlock()
	if !x.controlOff {
		_ = x.setWriteDeadline(expired)
	}
}

// endResponse ends the response at the deadline. It sends an answer if the
// response has not begun, flushes a complete one, and breaks any other.
//
// The writer below may panic, because it may belong to outer middleware, or to a
// server whose connection was hijacked without the exchange.
func (x *Exchange) endResponse(d *Deadline, e *earlyEnd, err error) (action transportAction) {
	defer func() {
		if v := recover(); v != nil {
			x.hookPanicked("the writer", v)
			x.wmu.Lock()
			x.cut = true
			x.wmu.Unlock()
			action = actAbort
		}
	}()
	last := x.awaitIdle(e.from)
	if last == writeStuck {
		e.stuck = true
		return actNone
	}
	if e.aborted() {
		return actAbort
	}
	if !x.committed.Load() {
		if last != writeEnded && !x.http2() { // the client did not read a 1xx
			x.wmu.Lock()
			x.cut = true
			x.wmu.Unlock()
			return actAbort
		}
		return x.answer(d, e, err)
	}
	x.wmu.Lock()
	defer x.wmu.Unlock()
	if last == writeBlocked && (x.http2() || x.drained.Load()) {
		x.flushed = true
	}
	if x.complete() && last == writeEnded {
		_ = x.setWriteDeadline(time.Now().Add(abortTimeout))
		if ferr := x.flush(); ferr == nil {
			return x.afterAnswer()
		}
	}
	x.breakTransport(last == writeEnded)
	switch {
	case x.http2():
		return actNone // the write deadline in the past has reset the stream
	case x.untilClose():
		x.closeConn()
		return actNone
	}
	return actAbort
}

// afterAnswer returns what to do with the transport after a complete answer.
func (x *Exchange) afterAnswer() transportAction {
	switch {
	case !x.http2():
		return actClose
	case x.detached.Load() != nil:
		return actNone // the server's goroutine returns and ends the stream
	}
	return actReset
}

// answer sends the deadline's response.
//
// The handler may be changing its header map at this moment. The map may be the
// handler's own or the server's; see Header. If it is the server's map and the
// handler has not returned, the server's writer cannot be used, and the answer is
// written by hand.
func (x *Exchange) answer(d *Deadline, e *earlyEnd, err error) transportAction {
	header := x.outerHeaders()
	rep := x.runErrorHandler(d, header, err)
	x.sanitize(rep)
	if !x.headers.CompareAndSwap(headersLent, headersReclaimed) &&
		x.headers.Load() == headersLentUsed && !e.await(returnGrace) {
		return x.answerByHand(rep)
	}
	_ = x.setWriteDeadline(time.Now().Add(answerTimeout)) // replaces a WriteTimeout that was shorter than the limit
	x.wmu.Lock()
	defer x.wmu.Unlock()
	wire := x.inner.Header()
	clear(wire)
	maps.Copy(wire, rep.header)
	x.inner.WriteHeader(rep.status)
	x.commit(rep.status)
	if x.hasBody() {
		n, werr := x.inner.Write(rep.body.Bytes())
		x.wrote(int64(n), werr)
	}
	if ferr := x.flush(); ferr != nil {
		x.wrote(0, ferr)
		x.cut = true // a status that was not sent must not be logged
	}
	return x.afterAnswer()
}

// answerByHand hijacks the connection and writes the answer to it, because the
// handler is using the server's header map.
func (x *Exchange) answerByHand(rep *reply) transportAction {
	conn := x.hijackServer()
	x.wmu.Lock()
	defer x.wmu.Unlock()
	x.started = x.Now()
	x.status, x.declared = int32(rep.status), int64(rep.body.Len())
	x.committed.Store(true)
	if conn == nil {
		x.cut = true
		return actNone
	}
	if hook := x.commitHook(); hook != nil {
		hook(rep.header)
	}
	_ = conn.SetWriteDeadline(time.Now().Add(answerTimeout))
	head := x.head(rep)
	body := rep.body.Bytes()
	if !x.hasBody() {
		body = nil
	}
	n, err := conn.Write(slices.Concat(head, body))
	x.written = max(0, int64(n-len(head)))
	if err != nil {
		x.failedToWrite(err, 0)
		x.cut = n < len(head)
	}
	x.flushed = n >= len(head)
	go closeGently(conn)
	return actNone
}

// head returns the head of an answer as net/http would send it.
func (x *Exchange) head(rep *reply) []byte {
	var b bytes.Buffer
	text := http.StatusText(rep.status)
	if text == "" {
		text = "status code " + strconv.Itoa(rep.status)
	}
	fmt.Fprintf(&b, "HTTP/1.%d %03d %s\r\n", min(1, x.original.ProtoMinor), rep.status, text)
	if _, ok := rep.header["Date"]; !ok {
		rep.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	_ = rep.header.Write(&b)
	b.WriteString("\r\n")
	return b.Bytes()
}
