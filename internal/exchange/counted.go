package exchange

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

// CountUpgraded makes a hijack return a connection that counts its bytes, if the
// client asked to switch protocols. That connection has another type. CountUpgraded
// must be called before the handler runs.
func (x *Exchange) CountUpgraded() { x.ensureExtras().counted = true }

// countedConn is a hijacked connection that counts its bytes and reports its end.
// Neither the exchange nor the server refers to a countedConn. So it can be garbage
// collected if the application drops it, and that reports its end.
type countedConn struct {
	net.Conn
	x     *Exchange
	stats *connStats
	once  sync.Once
}

// connStats are the counts. They are separate from the connection, so that the
// connection can be garbage collected.
type connStats struct {
	in, out atomic.Int64
	done    atomic.Uint32 // handlerEnded, connectionDone
	head    statusLine    // of a response written by hand
}

const (
	handlerEnded uint32 = 1 << iota
	connectionDone
)

// ended records that the handler or the connection has ended. It reports whether
// both have ended, which ends the request.
func (t *connStats) ended(which uint32) bool {
	return t.done.Or(which)|which == handlerEnded|connectionDone
}

// count makes the exchange end with the connection instead of the handler.
func (x *Exchange) count(conn net.Conn, rw *bufio.ReadWriter) (net.Conn, *bufio.ReadWriter) {
	c := &countedConn{Conn: conn, x: x, stats: &connStats{}}
	c.stats.head.done.Store(x.committed.Load())
	x.ensureExtras().connection = c.stats
	runtime.AddCleanup(c, (*Exchange).connectionDone, x)
	return c.withOptional(), bufio.NewReadWriter(bufferedReader(rw.Reader, c), bufio.NewWriter(c))
}

// bufferedReader returns a reader of c with the buffered data of r, because
// upgraders call Buffered to detect a client that sent data too early.
func bufferedReader(r *bufio.Reader, c *countedConn) *bufio.Reader {
	n := r.Buffered()
	if n == 0 {
		return bufio.NewReader(c)
	}
	early := make([]byte, n)
	_, _ = io.ReadFull(r, early) // it is buffered
	c.stats.in.Add(int64(n))
	filled := bufio.NewReaderSize(&bufferedFirst{early, c}, max(n, bufferedConn))
	_, _ = filled.Peek(n)
	return filled
}

type bufferedFirst struct {
	early []byte
	rest  io.Reader
}

func (r *bufferedFirst) Read(p []byte) (int, error) {
	if len(r.early) == 0 {
		return r.rest.Read(p)
	}
	n := copy(p, r.early)
	r.early = r.early[n:]
	return n, nil
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.stats.in.Add(int64(n))
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.stats.out.Add(int64(n))
	c.stats.head.see(p[:n])
	return n, err
}

// ReadFrom lets the kernel copy (splice, sendfile) after the status line has been
// read.
func (c *countedConn) ReadFrom(src io.Reader) (total int64, err error) {
	if !c.stats.head.done.Load() {
		total, err = io.CopyN(onlyWriter{c}, src, int64(len(c.stats.head.seen)))
		if err == io.EOF { //nolint:errorlint // CopyN returns it bare
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
	n, err := io.Copy(c.Conn, src)
	c.stats.out.Add(n)
	return total + n, err
}

// The optional methods of connections.
type (
	closeWriter interface{ CloseWrite() error }
	closeReader interface{ CloseRead() error }
	filer       interface{ File() (*os.File, error) }
	netConner   interface{ NetConn() net.Conn }
)

// withOptional returns c with the optional methods of its connection: those of a
// TCP or Unix connection, of a TLS connection, or of another.
func (c *countedConn) withOptional() net.Conn {
	type socket interface {
		closeWriter
		closeReader
		filer
		syscall.Conn
	}
	type secured interface {
		closeWriter
		netConner
	}
	switch conn := c.Conn.(type) {
	case socket:
		return struct {
			*countedConn
			closeWriter
			closeReader
			filer
			syscall.Conn
		}{c, conn, conn, conn, conn}
	case secured:
		return struct {
			*countedConn
			closeWriter
			netConner
		}{c, conn, conn}
	case closeWriter:
		return struct {
			*countedConn
			closeWriter
		}{c, conn}
	case netConner:
		return struct {
			*countedConn
			netConner
		}{c, conn}
	}
	return c
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.x.connectionDone)
	return err
}

func (x *Exchange) connectionDone() {
	if x.extras().connection.ended(connectionDone) {
		x.end(nil)
	}
}

// upgradeStatus returns the status of a hijacked connection. If the connection is
// counted, that is the status that the handler wrote to it. Otherwise it is 101 if
// the client asked for an upgrade.
func (x *Exchange) upgradeStatus() int {
	if t := x.extras().connection; t != nil {
		return int(t.head.status.Load())
	}
	if x.switchesProtocol() && x.original.Method != http.MethodConnect {
		return http.StatusSwitchingProtocols
	}
	return 0
}
