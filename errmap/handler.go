package errmap

import (
	"net/http"
	"runtime/debug"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Handler makes a handler of a function that returns an error. nil means that
// the function has answered; anything else is answered by [Mapper.Write].
func (m *Mapper) Handler(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return m.guard(func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			m.write(x, w, r, err)
		}
	})
}

// Recover is middleware that answers a panic with 500. The value and the stack
// go into the log line, once; without a log line they go to the server's
// ErrorLog; the client sees nothing of them. A response that had begun is cut
// off, and a hijacked connection left alone. http.ErrAbortHandler is no accident
// and passes, and so does the panic of a handler that outlived its deadline,
// which package timeout reports.
//
// It goes outside of everything whose panics it is to answer, and inside of
// logging and timeout:
//
//	bulwark.Chain(logging.New(…), timeout.New(…), limits.New(…), errs.Recover)(mux)
//
// The other way round works, but what panics between the two is not answered.
// A recovery of somebody else's inside of this package's must let
// http.ErrAbortHandler pass. A compressing middleware may stand between Recover
// and Handler: what it holds back is taken to be sent.
func (m *Mapper) Recover(next http.Handler) http.Handler {
	return m.guard(func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); {
			case v == nil: // or runtime.Goexit, which goes on
			case v == http.ErrAbortHandler, x.Abandoned(): //nolint:errorlint // as net/http compares it
				panic(v)
			default:
				m.panicked(x, w, r, v, debug.Stack())
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// guard enters the exchange around serve, and lets what is written be seen also
// where w is a wrapper around the exchange's writer.
func (m *Mapper) guard(serve func(*exchange.Exchange, http.ResponseWriter, *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, w, r, owner := exchange.Enter(w, r)
		if owner {
			defer x.Leave()
		} else {
			w = track(w, x.Writer())
		}
		serve(x, w, r)
		if owner {
			x.Returned()
		}
	})
}

// panicked answers a panic.
func (m *Mapper) panicked(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, v any, stack []byte) {
	x.Panicked(v, stack)
	x.Reportf("http: panic serving %v: %s\n%s", r.RemoteAddr, printed(v), stack)
	switch s := stateOf(w, x); {
	case s.Taken, s.Closed:
	case x.ClientGone():
		x.Drop()
	case s.Status != 0:
		x.Intend(http.StatusInternalServerError)
		x.Drop()
	default:
		p := internal()
		m.respond(x, w, r, &p)
	}
}
