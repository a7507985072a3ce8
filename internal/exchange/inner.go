package exchange

import (
	"net/http"
	"time"
)

// inner is the writer that the exchange was made around.
type inner struct{ w http.ResponseWriter }

func (in inner) flush() error { return http.NewResponseController(in.w).Flush() }

func (in inner) setReadDeadline(t time.Time) error {
	return http.NewResponseController(in.w).SetReadDeadline(t)
}

func (in inner) setWriteDeadline(t time.Time) error {
	return http.NewResponseController(in.w).SetWriteDeadline(t)
}

// canFlush tells whether a flush will get through, so that one that cannot
// does not commit a response.
func canFlush(w http.ResponseWriter) bool {
	for range maxUnwrap {
		switch t := w.(type) {
		case interface{ FlushError() error }, http.Flusher:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
	return false
}

// innermost is the writer at the end of the chain of Unwrap.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for range maxUnwrap {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = u.Unwrap()
	}
	return w
}
