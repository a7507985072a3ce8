package exchange

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
)

// body counts the request's body and tells whether somebody waits for the
// client. After the request it is dead: it was never pooled, so that a reader
// kept too long gets an error and never another request's bytes.
type body struct {
	x       *Exchange
	src     io.ReadCloser // nil where the request has no body
	n       atomic.Int64
	reading atomic.Bool
	ended   atomic.Bool // EOF was seen, or the body closed
	late    atomic.Bool // a read was ended by a deadline, see Exchange.ClientGone
}

func (b *body) Read(p []byte) (int, error) {
	if b.x.left.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	b.reading.Store(true)
	n, err := b.src.Read(p)
	b.reading.Store(false)
	b.n.Add(int64(n))
	switch {
	case err == nil:
	case err == io.EOF: //nolint:errorlint // readers return it bare
		b.ended.Store(true)
	case b.x.Expired():
		// And not the i/o timeout by which the reader was freed, nor what
		// net/http makes of it (in a chunked body's trailers: an unexpected EOF).
		if cause := context.Cause(b.x); cause != nil {
			err = cause
		}
	case errors.Is(err, os.ErrDeadlineExceeded): // the handler's own, or the server's ReadTimeout
		b.late.Store(true)
	}
	return n, err
}

func (b *body) Close() error {
	b.ended.Store(true)
	return b.src.Close()
}

// pending reports whether there may be more to read.
func (b *body) pending() bool { return b.src != nil && !b.ended.Load() }
