package exchange

import (
	"io"
	"io/fs"
	"math"
	"net/http"
	"reflect"
)

// pieceSize bounds the server's writes if there is an idle limit. The server
// reports no progress within a write, so a response with large writes would count
// as idle while the client reads slowly. The size is small because the kernel's
// buffers accept the first writes even if the client does not read.
const pieceSize = 4 << 10

// A first write of more than largeWrite is split, because a write that fails does
// not say whether the head was sent. The first part has headPiece bytes, which is
// more than the server buffers. So the head is sent before a client that does not
// read can block the rest. Smaller writes fit into the kernel's buffers and into
// the window of a new HTTP/2 stream.
const (
	largeWrite = 64 << 10
	headPiece  = 8 << 10
)

// inPieces writes p. If there is an idle limit, it writes p in small pieces,
// otherwise at once or in two parts.
func inPieces[T []byte | string](x *Exchange, p T, write func(T) (int, error)) (total int, err error) {
	bounded := x.streams()
	for {
		x.publish()
		q := p
		switch {
		case bounded && len(q) > pieceSize:
			q = p[:pieceSize]
		case len(q) > largeWrite && !x.onWire():
			q = p[:headPiece]
		}
		head, ignored, before := x.headGoesWith(len(q)), x.bodyIgnored(), x.state.load()
		n, err := write(q)
		if ignored {
			n, err = len(q), nil
		} else if head && err != nil && !x.brokenSince(before, err) {
			x.flushed = true
		}
		x.wrote(int64(n), err)
		total, p = total+n, p[len(q):]
		if err != nil || len(p) == 0 {
			return total, err
		}
	}
}

// ReadFrom lets the server use sendfile for regular files, and copies everything
// else itself. The server's ReadFrom reads and writes, but the application's
// sources must not be read with the lock held: a body that exceeds its limit needs
// that lock, and a deadline can break a blocked write but not a blocked read of a
// source.
func (w *responseWriter) ReadFrom(src io.Reader) (int64, error) {
	x := (*Exchange)(w)
	switch {
	case !regularFile(src):
		return w.copy(src)
	case x.streams():
		return w.sendPieces(src)
	default:
		return w.send(src)
	}
}

// sendPieces is send in pieces. Package net unwraps only one LimitedReader to
// find the file.
func (w *responseWriter) sendPieces(src io.Reader) (total int64, err error) {
	whole, ok := src.(*io.LimitedReader)
	if !ok {
		whole = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	for {
		size := min(whole.N, pieceSize)
		n, err := w.send(&io.LimitedReader{R: whole.R, N: size})
		whole.N -= n
		total += n
		if err != nil || n < size || whole.N == 0 {
			return total, err
		}
	}
}

// send makes the server send a file.
func (w *responseWriter) send(src io.Reader) (int64, error) {
	x := (*Exchange)(w)
	if err := x.begin(); err != nil {
		return 0, x.refused(err, 1)
	}
	defer x.done()
	x.implicit()
	if x.boundDrain() {
		defer x.unboundDrain()
	}
	n, err := x.inner.(io.ReaderFrom).ReadFrom(src)
	x.wrote(n, err)
	return n, err
}

// onlyWriter and onlyReader hide everything but Write and Read. The server would
// also only call Read of the source.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

// sniffLen is the size of the first write of the server's ReadFrom.
const sniffLen = 512

// copy is like the server's ReadFrom, but does not hold the lock while it reads
// src. It copies up to the declared length, and returns http.ErrContentLength if
// src has more. Like the server, it first writes a small part. This commits the
// response and its length.
func (w *responseWriter) copy(src io.Reader) (n int64, err error) {
	if !(*Exchange)(w).committed.Load() && len(w.Header()["Content-Length"]) > 0 {
		n, err = io.Copy(onlyWriter{w}, io.LimitReader(src, sniffLen))
		if err != nil || n < sniffLen {
			return n, err
		}
	}
	left, declared, err := w.remaining()
	if err != nil {
		return n, err
	}
	if !declared {
		rest, err := io.Copy(onlyWriter{w}, onlyReader{src})
		return n + rest, err
	}
	rest, err := io.Copy(onlyWriter{w}, io.LimitReader(src, left))
	if err == nil && rest == left {
		if more, _ := io.ReadFull(src, make([]byte, 1)); more > 0 {
			err = http.ErrContentLength
		}
	}
	return n + rest, err
}

// remaining returns how much of the declared length is left.
func (w *responseWriter) remaining() (left int64, declared bool, err error) {
	x := (*Exchange)(w)
	if err := x.begin(); err != nil {
		return 0, false, x.refused(err, 1)
	}
	defer x.done()
	if !x.committed.Load() {
		return 0, false, nil // no length is declared
	}
	return x.declared - x.written, x.declared >= 0 && x.hasBody(), nil
}

// regularFile reports whether src is a file on disk, or a part of one as
// http.ServeContent passes it. It must have a type of package os, because its
// methods run with the lock held.
func regularFile(src io.Reader) bool {
	if lr, ok := src.(*io.LimitedReader); ok {
		src = lr.R
	}
	f, ok := src.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return false
	}
	t := reflect.TypeOf(src) // *os.File, or the type that its WriteTo passes to io.Copy
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() != "os" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}
