package errmap

import (
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/bulwark-go/bulwark/internal/errtree"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Handler returns an http.Handler that calls f and passes its error, if it is not
// nil, to [Mapper.Write]. If f returns nil, f must have written the response.
// Handler panics if f is nil.
func (m *Mapper) Handler(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	if f == nil {
		panic("errmap: Handler: the function is nil")
	}
	return m.guard(nil, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			m.write(x, w, r, err)
		}
	})
}

// Recover is middleware that answers a panic with 500. The value and the stack of
// the panic are recorded once: in the log record or, without package logging, in the
// server's ErrorLog. The client does not see them. A response that has started is
// aborted, and a hijacked connection is left alone.
//
// Recover does not recover http.ErrAbortHandler. It does not recover the panic of
// an abandoned handler either; package timeout reports that panic.
//
// Recovery middleware of another library inside Recover must not recover
// http.ErrAbortHandler. If compressing middleware is between Recover and Handler, a
// response that is in its buffer counts as started.
//
// Recover panics if next is nil.
func (m *Mapper) Recover(next http.Handler) http.Handler {
	if next == nil {
		panic("errmap: Recover: the handler is nil")
	}
	return m.guard(next, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		returned := false
		defer func() {
			v := recover()
			if v == nil && !returned && !exchange.Exiting() {
				v = new(runtime.PanicNilError) // GODEBUG=panicnil=1
			}
			switch {
			case v == nil: // no panic, or a runtime.Goexit that continues
			case v == http.ErrAbortHandler, x.Abandoned(): //nolint:errorlint // as net/http compares it
				panic(v)
			default:
				m.panicked(x, w, r, v, debug.Stack())
			}
		}()
		next.ServeHTTP(w, r)
		returned = true
	})
}

// guard runs serve within the exchange. It tracks what is written to w if w is not
// the exchange's own writer.
func (m *Mapper) guard(next http.Handler, serve func(*exchange.Exchange, http.ResponseWriter, *http.Request)) http.Handler {
	return exchange.Func(next, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		serve(x, track(w, x), r)
	})
}

// panicked answers a panic.
func (m *Mapper) panicked(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, v any, stack []byte) {
	x.Notes.Panicked(v, stack)
	x.LogIfUnobservedf("http: panic serving %v: %s\n%s", r.RemoteAddr, errtree.Quote(errtree.Printed(v), maxReported), stack)
	switch s, own := stateOf(w, r, x); {
	case s.Taken, s.Closed, s.Complete:
	case s.Status != 0:
		x.Notes.SetIntendedStatus(http.StatusInternalServerError)
		x.Response().Abort()
	case own || firstAnswer(x, w):
		m.respond(x, w, r, &decision{problem: internal(), rule: len(m.table.rules)})
	}
}
