package errmap

import (
	"fmt"
	"io"
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Write answers err, and puts it into the log line of package logging, once.
// It has the shape of an ErrorHandler and fits as one everywhere. What it does
// depends on how far the response is:
//
//   - Nothing was sent: the answer is rendered.
//   - A successful response has begun: nothing is appended to it. It is broken
//     off, so that the client is never left with half a file that looks whole.
//   - An error response (400 or more) has begun: it stands.
//   - The connection was hijacked, the deadline has answered, or the client has
//     left: nothing is written.
//
// So it may be called any number of times, and the client still gets one answer.
// What breaks off is the connection on HTTP/1 and the stream on HTTP/2, by a
// panic with http.ErrAbortHandler at the outermost Bulwark middleware and a past
// write deadline for the case that somebody recovers it.
//
// Where nobody logs, an error of a handler that is answered with 500 or more, or
// that broke its response off, goes to the server's ErrorLog.
//
// Outside of Bulwark's middleware only the first applies: it answers as
// http.Error would. http.ErrAbortHandler, returned as an error, aborts the
// response as a panic with it does. A nil error is a mistake and answered with
// 500.
func (m *Mapper) Write(w http.ResponseWriter, r *http.Request, err error) {
	x := exchange.From(r.Context())
	if x != nil && !x.Owns(w) {
		m.aside(x, w, r, err)
		return
	}
	m.write(x, w, r, err)
}

// aside answers on a writer that is not the way to the exchange's wire: the
// deadline's answer, or a recorder.
func (m *Mapper) aside(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, err error) {
	var v verdict
	m.judge(r.Context(), &v, x, err)
	v.note(x)
	m.respond(nil, w, r, &v.problem)
}

func (m *Mapper) write(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, err error) {
	if err == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		abort(x)
		return
	}
	var v verdict
	m.judge(r.Context(), &v, x, err)
	if x == nil {
		m.respond(nil, w, r, &v.problem)
		return
	}
	v.note(x)
	switch s := stateOf(w, x); {
	case s.Taken, s.Closed, s.Status >= 400:
	case v.silent, x.ClientGone():
		x.Drop()
	case s.Status != 0:
		x.Intend(v.problem.Status)
		x.Drop()
		report(x, r, &v)
	default:
		m.respond(x, w, r, &v.problem)
		if v.problem.Status >= 500 {
			report(x, r, &v)
		}
	}
}

// abort ends the response as a panic with http.ErrAbortHandler would.
func abort(x *exchange.Exchange) {
	if x == nil {
		panic(http.ErrAbortHandler)
	}
	x.Drop()
}

// report keeps a failure of ours from being lost where there is no log line.
func report(x *exchange.Exchange, r *http.Request, v *verdict) {
	if len(x.Observers()) == 0 {
		x.Reportf("errmap: %d for %s %q: %q", v.problem.Status, r.Method, r.URL.Path, text(v.cause))
	}
}

// stateOf is how far the response is, seen from w: a wrapper in between may
// hold back what was written to it.
func stateOf(w http.ResponseWriter, x *exchange.Exchange) exchange.Wire {
	s := x.Wire()
	if s.Status != 0 {
		return s
	}
	if t := tracked(w); t != nil {
		s.Status, s.Taken = t.status, s.Taken || t.taken
	}
	return s
}

// respond renders p. x is nil where w does not lead to an exchange.
func (m *Mapper) respond(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, p *Problem) {
	if !m.custom {
		m.render(w, r, *p)
		return
	}
	t := tracked(w)
	if t == nil {
		t = &tracker{ResponseWriter: w}
		w = t.shape()
	}
	prepare(w.Header(), p)
	if v := m.tryRender(w, r, *p); v != nil && x != nil {
		x.Note(fmt.Errorf("errmap: Render panicked: %s", printed(v)))
	}
	if t.status != 0 || t.taken {
		return
	}
	plain(w, p.Status)
}

// tryRender calls the user's function, and returns what it panicked with.
func (m *Mapper) tryRender(w http.ResponseWriter, r *http.Request, p Problem) (panicked any) {
	defer func() {
		if panicked = recover(); panicked == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			panic(panicked)
		}
	}()
	m.render(w, r, p)
	return nil
}

// plain is the answer that needs nothing.
func plain(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", typeText)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, statusText(status)+"\n")
}
