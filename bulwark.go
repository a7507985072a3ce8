package bulwark

import (
	"net/http"
	"slices"
	"strconv"
)

// Chain composes middleware: the first is the outermost, so
// Chain(a, b)(h) serves as a(b(h)). Chain() returns the handler unchanged.
// It panics if a middleware is nil. Later changes to mws do not reach it.
func Chain(mws ...func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	mws = slices.Clone(mws)
	for i, mw := range mws {
		if mw == nil {
			panic("bulwark: Chain: middleware " + strconv.Itoa(i) + " is nil")
		}
	}
	return func(h http.Handler) http.Handler {
		for _, mw := range slices.Backward(mws) {
			h = mw(h)
		}
		return h
	}
}
