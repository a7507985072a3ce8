package exchange

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/bulwark-go/bulwark/internal/respwriter"
)

// Middleware outside may return before its handler does, for example to give up on a
// handler that takes too long. If it has passed on the server's own writer, nothing
// tells the exchange: net/http finishes the response, its writer panics when it is
// used, and on HTTP/1 the connection serves the next request. A panic on a goroutine
// of this package would end the process.

// serverFinished reports whether net/http has finished the request although the
// handler is running. The writer must then not be used any more.
func (x *Exchange) serverFinished() bool {
	if x.state.has(finished) {
		return true
	}
	if x.Parent().Err() == nil && x.state.load() == open { // net/http cancels the context first, but middleware may have replaced it
		return false
	}
	x.control.Lock()
	defer x.control.Unlock()
	if x.controlOff { // outer middleware may already use its writer for another request
		return x.state.has(finished)
	}
	if outer, ok := respwriter.Find[*responseWriter](x.inner); ok { // its writer refuses what comes too late
		return (*Exchange)(outer).serverFinished()
	}
	x.closeNotify()
	return x.state.has(finished)
}

// recoverFinished is deferred. HTTP/2 cancels the context shortly before it finishes
// the request, so it may finish it after serverFinished was called.
func (x *Exchange) recoverFinished() {
	if v := recover(); v != nil && !x.serverFinished() {
		panic(v)
	}
}

// closeNotify returns the channel of the server's own writer, or nil: Gin's
// CloseNotify panics if a writer below it has none. The method of net/http's writer
// panics if the server has finished the request, and nothing else tells that.
// control is held.
func (x *Exchange) closeNotify() (c <-chan bool) {
	w := respwriter.Innermost(x.inner)
	n, ok := w.(http.CloseNotifier) //nolint:staticcheck // see clientgone.go
	if !ok {
		return nil
	}
	defer func() {
		if recover() == nil {
			return
		}
		t := reflect.TypeOf(w)
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if strings.HasPrefix(t.PkgPath(), "net/http") {
			x.controlOff = true
			x.state.set(finished)
		}
	}()
	return n.CloseNotify()
}
