package exchange

import (
	"bufio"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"syscall"
)

// The optional interfaces of a ResponseWriter, each a type of its own, so that
// a shape has exactly those that the server's writer has.
type (
	flusher       struct{ x *Exchange }
	hijacker      struct{ x *Exchange }
	readerFrom    struct{ x *Exchange }
	pusher        struct{ x *Exchange }
	stringWriter  struct{ x *Exchange }
	closeNotifier struct{ x *Exchange }
	onlyWriter    struct{ io.Writer }
)

// Flush flushes; FlushError says more.
func (f flusher) Flush() { _ = core(f).FlushError() }

// Hijack hands the connection over and lifts the deadline: from here on the
// connection is the application's to bound.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x := h.x
	if err := x.begin(); err != nil {
		return nil, nil, err
	}
	defer x.done()
	conn, rw, err := x.inner.w.(http.Hijacker).Hijack()
	if err != nil {
		return nil, nil, err
	}
	x.hijacked = true
	x.lift()
	if told := x.rare().hijackHook; told != nil {
		told()
	}
	if x.observed.Load() && x.switchesProtocol() {
		conn, rw = x.account(conn, rw)
	}
	return conn, rw, nil
}

// Push is HTTP/2's server push.
func (p pusher) Push(target string, opts *http.PushOptions) error {
	x := p.x
	if err := x.begin(); err != nil {
		return err
	}
	defer x.done()
	return x.inner.w.(http.Pusher).Push(target, opts)
}

// WriteString is Write for a string.
func (s stringWriter) WriteString(str string) (int, error) {
	x := s.x
	if err := x.begin(); err != nil {
		return 0, err
	}
	defer x.done()
	if x.hijacked {
		return 0, x.onHijacked(len(str))
	}
	x.implicit()
	return inPieces(x, str, x.inner.w.(io.StringWriter).WriteString)
}

// CloseNotify is the deprecated one; what wraps a writer that has it must.
func (c closeNotifier) CloseNotify() <-chan bool {
	if c.x.original.ProtoMajor >= 2 {
		if s := c.x.streamClosing(itself); s != nil {
			return s.handler
		}
		over := make(chan bool, 1) // the deadline has answered; the server would panic
		over <- true
		return over
	}
	return c.x.inner.w.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // offered because net/http still does
}

func itself(w http.ResponseWriter) http.ResponseWriter { return w }

// piece bounds what the server writes at a time under an idle limit: it
// reports no progress in between, and a client that takes a large write slowly
// would count as silent.
const piece = 64 << 10

// inPieces writes p, in pieces under an idle limit.
func inPieces[T []byte | string](x *Exchange, p T, write func(T) (int, error)) (total int, err error) {
	for {
		q := p
		if x.streams() && len(q) > piece {
			q = p[:piece]
		}
		head, eaten := x.headGoesWith(len(q)), x.eaten()
		n, err := write(q)
		if eaten {
			n, err = len(q), nil
		} else if head && err != nil {
			x.flushed = true
		}
		x.wrote(int64(n), err)
		total, p = total+n, p[len(q):]
		if err != nil || len(p) == 0 {
			return total, err
		}
	}
}

// ReadFrom keeps sendfile. The server's own ReadFrom both reads and writes, and
// the deadline can break a write but not a source that is silent; so while a
// deadline is armed only regular files go that way, and everything else is
// copied here, with the lock held for the writes alone.
func (r readerFrom) ReadFrom(src io.Reader) (int64, error) {
	x := r.x
	if x.headers.Load() == headersShared {
		return r.direct(src)
	}
	if !regularFile(src) {
		return r.copy(src)
	}
	if !x.streams() {
		return r.direct(src)
	}
	return r.pieces(src)
}

// pieces is direct in pieces of a file, see piece. Package net looks for the
// file behind one LimitedReader and no further.
func (r readerFrom) pieces(src io.Reader) (total int64, err error) {
	whole, ok := src.(*io.LimitedReader)
	if !ok {
		whole = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	for {
		part := io.LimitedReader{R: whole.R, N: min(whole.N, piece)}
		size := part.N
		n, err := r.direct(&part)
		whole.N -= n
		total += n
		if err != nil || n < size || whole.N == 0 {
			return total, err
		}
	}
}

// copy is the server's ReadFrom without the lock held while src is read: up to
// the declared length, and http.ErrContentLength where src has more.
func (r readerFrom) copy(src io.Reader) (int64, error) {
	x := r.x
	if err := x.begin(); err != nil {
		return 0, err
	}
	if !x.hijacked {
		x.implicit()
	}
	left := x.declared - x.written
	declared := x.committed.Load() && x.declared >= 0 && x.hasBody()
	x.done()
	if !declared {
		return io.Copy(onlyWriter{core(r)}, src)
	}
	n, err := io.Copy(onlyWriter{core(r)}, io.LimitReader(src, left))
	if err == nil && n == left {
		if more, _ := io.ReadFull(src, make([]byte, 1)); more > 0 {
			err = http.ErrContentLength
		}
	}
	return n, err
}

func (r readerFrom) direct(src io.Reader) (int64, error) {
	x := r.x
	if err := x.begin(); err != nil {
		return 0, err
	}
	defer x.done()
	if x.hijacked {
		return 0, x.onHijacked(1)
	}
	x.implicit()
	n, err := x.inner.w.(io.ReaderFrom).ReadFrom(src)
	x.wrote(n, err)
	return n, err
}

// regularFile tells whether src is a file on disk, or a part of one as
// http.ServeContent passes it.
func regularFile(src io.Reader) bool {
	if lr, ok := src.(*io.LimitedReader); ok {
		src = lr.R
	}
	f, ok := src.(interface { // an *os.File, or what its WriteTo makes of it for io.Copy
		Stat() (fs.FileInfo, error)
		syscall.Conn
	})
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}
