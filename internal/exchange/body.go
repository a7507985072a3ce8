package exchange

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
)

// body is the exchange as the body of its request, which is counted. After the
// request it is dead: it was never pooled, so that a reader kept too long gets
// an error and never another request's bytes.
type body Exchange

// reading is what the body tells: how much was read, and whether somebody waits
// for the client.
type reading struct {
	bytesIn  atomic.Int64
	waiting  atomic.Bool
	drained  atomic.Bool // there is no body, EOF was seen, or the body closed
	readLate atomic.Bool // a read was ended by a deadline, see Exchange.ClientGone
}

func (b *body) Read(p []byte) (int, error) {
	x := (*Exchange)(b)
	if x.left.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	x.waiting.Store(true)
	n, err := x.original.Body.Read(p)
	x.waiting.Store(false)
	x.bytesIn.Add(int64(n))
	switch {
	case err == nil:
	case err == io.EOF: //nolint:errorlint // readers return it bare
		x.drained.Store(true)
	case x.Expired():
		// And not the i/o timeout by which the reader was freed, nor what
		// net/http makes of it (in a chunked body's trailers: an unexpected EOF).
		if cause := context.Cause(x); cause != nil {
			err = cause
		}
	case errors.Is(err, os.ErrDeadlineExceeded): // the handler's own, or the server's ReadTimeout
		x.readLate.Store(true)
	}
	return n, err
}

func (b *body) Close() error {
	b.drained.Store(true)
	return b.original.Body.Close()
}
