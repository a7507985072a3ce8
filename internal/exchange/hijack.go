package exchange

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
)

// taken is a connection after its hijack, of which somebody wants to know how
// much went over it and when it ended.
type taken struct {
	net.Conn
	x     *Exchange
	count *traffic
	once  sync.Once
}

// traffic is counted apart from the connection, so that a connection that
// nobody closes can be collected and still be reported.
type traffic struct {
	in, out atomic.Int64
	over    atomic.Uint32 // what has ended: the handler, the connection
	head    statusLine    // of a response that is written by hand
}

const (
	handlerOver uint32 = 1 << iota
	connectionOver
)

// end records that one of the two has ended and reports whether both have: the
// request is over then, whichever was first.
func (t *traffic) end(which uint32) bool {
	return t.over.Or(which)|which == handlerOver|connectionOver
}

// switchesProtocol reports whether the client asked for another protocol on
// this connection. Only then is a hijacked connection wrapped, and ends the
// request with the connection: whoever hijacks to answer by hand may count on
// the server's own type (net/http's suite does).
func (x *Exchange) switchesProtocol() bool {
	return x.original.Method == http.MethodConnect || len(x.original.Header["Upgrade"]) > 0
}

// account makes the exchange end with the connection instead of the handler.
func (x *Exchange) account(conn net.Conn, rw *bufio.ReadWriter) (net.Conn, *bufio.ReadWriter) {
	t := &taken{Conn: conn, x: x, count: &traffic{}}
	t.count.head.over.Store(x.committed.Load())
	x.rarely().traffic = t.count
	runtime.AddCleanup(t, (*Exchange).connectionEnded, x)
	rw.Writer.Reset(t)
	return t, bufio.NewReadWriter(refilled(rw.Reader, t), rw.Writer)
}

// refilled is a reader of t that holds what r had buffered: upgraders look at
// Buffered to find a client that spoke too early.
func refilled(r *bufio.Reader, t *taken) *bufio.Reader {
	n := r.Buffered()
	if n == 0 {
		return bufio.NewReader(t)
	}
	early := make([]byte, n)
	_, _ = io.ReadFull(r, early) // it is buffered
	t.count.in.Add(int64(n))
	filled := bufio.NewReaderSize(&earlyReader{early, t}, max(n, bufferedHTTP2))
	_, _ = filled.Peek(n)
	return filled
}

type earlyReader struct {
	early []byte
	rest  io.Reader
}

func (r *earlyReader) Read(p []byte) (int, error) {
	if len(r.early) == 0 {
		return r.rest.Read(p)
	}
	n := copy(p, r.early)
	r.early = r.early[n:]
	return n, nil
}

func (t *taken) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.count.in.Add(int64(n))
	return n, err
}

func (t *taken) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	t.count.out.Add(int64(n))
	t.count.head.see(p[:n])
	return n, err
}

// ReadFrom keeps the kernel's ways of copying, once the head has been seen.
func (t *taken) ReadFrom(src io.Reader) (total int64, err error) {
	if !t.count.head.over.Load() {
		total, err = io.CopyN(onlyWriter{t}, src, int64(len(t.count.head.seen)))
		if err == io.EOF { //nolint:errorlint // CopyN returns it bare
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
	n, err := io.Copy(t.Conn, src)
	t.count.out.Add(n)
	return total + n, err
}

// NetConn returns the connection, as tls.Conn has it.
func (t *taken) NetConn() net.Conn { return t.Conn }

func (t *taken) Close() error {
	err := t.Conn.Close()
	t.once.Do(t.x.connectionEnded)
	return err
}

func (x *Exchange) connectionEnded() {
	if x.rare().traffic.end(connectionOver) {
		x.end(nil)
	}
}
