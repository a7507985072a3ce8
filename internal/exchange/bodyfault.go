package exchange

import (
	"errors"
	"io"
	"net/http"
	"os"
)

// BodyFault is what was wrong with the request's body.
type BodyFault uint8

// The kinds of BodyFault.
const (
	BodyFine      BodyFault = iota // nothing so far
	BodyEmpty                      // the body had no bytes
	BodyTruncated                  // the body ended too early
	BodyMalformed                  // the transfer coding is malformed, or reading the body failed
	BodyTimeout                    // a read deadline passed: the server's ReadTimeout, or a deadline that the handler set
	BodyTooLarge                   // http.MaxBytesReader ended the body
)

type bodyFailure struct {
	kind BodyFault
	err  error
}

// Fault returns what went wrong first when the request's body was read, and the
// error of that read. A deadline of the exchange is not a fault of the body.
func (b *Body) Fault() (BodyFault, error) {
	x := (*Exchange)(b)
	if f := x.fault.Load(); f != nil {
		return f.kind, f.err
	}
	return BodyFine, nil
}

// failed records the first failed read.
func (r *body) failed(err error) {
	var tooLarge *http.MaxBytesError
	kind := BodyMalformed
	switch {
	case err == io.EOF: //nolint:errorlint // readers return it bare
		kind = BodyEmpty
	case err == http.ErrBodyReadAfterClose: //nolint:errorlint // the same
		return // a mistake of the handler
	case errors.Is(err, os.ErrDeadlineExceeded):
		kind = BodyTimeout
	case errors.Is(err, io.ErrUnexpectedEOF):
		kind = BodyTruncated
	case errors.As(err, &tooLarge):
		kind = BodyTooLarge
	}
	r.fault.CompareAndSwap(nil, &bodyFailure{kind, err})
}
