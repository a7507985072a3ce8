package errmap

import (
	"fmt"
	"io"
	"net/http"

	"github.com/bulwark-go/bulwark/internal/errtree"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

// Write responds to the request with what err maps to, and adds err to the log
// record. Write can be used as any ErrorHandler. What Write does depends on the
// state of the response:
//
//   - No response has started: Write sends the Problem.
//   - A successful response has started: Write aborts it, so the client does not
//     take it as complete. If it already is complete (204, 304, HEAD, or all of its
//     Content-Length sent), Write does nothing to it. On HTTP/2 a response with
//     announced trailers is not complete before the handler has returned.
//   - An error response (400 or more) has started: Write does nothing to it.
//   - The connection was hijacked, or the response at the deadline was sent: Write
//     sends nothing.
//
// So Write may be called several times, and the client gets one response. This is
// also true if other middleware has wrapped Bulwark's writer, with or without an
// Unwrap method.
//
// To abort a response, Write sets a write deadline in the past, and the outermost
// Bulwark middleware panics with http.ErrAbortHandler. The connection is closed on
// HTTP/1, and the stream is reset on HTTP/2, even if other middleware recovers the
// panic.
//
// Without package logging, Write reports an error to the server's ErrorLog if the
// status is 500 or more or the response is aborted. It writes one line, with at
// most 1 KiB of the error's text.
//
// As the ErrorHandler of an httputil.ReverseProxy, Write sends 502 for every error
// that no rule matches, as the proxy does by default.
//
// Outside Bulwark's middleware Write always sends the Problem, as http.Error would.
// If err is http.ErrAbortHandler, Write aborts the response. If err is nil, which
// is a mistake of the caller, Write sends 500.
func (m *Mapper) Write(w http.ResponseWriter, r *http.Request, err error) {
	m.write(exchange.From(r.Context()), w, r, err)
}

func (m *Mapper) write(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, err error) {
	if err == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		if x == nil {
			panic(http.ErrAbortHandler)
		}
		x.Response().Abort()
		return
	}
	var d decision
	m.decide(&d, x, r, err)
	if x == nil {
		m.respond(nil, w, r, &d)
		return
	}
	d.note(x)
	s, own := stateOf(w, r, x)
	switch {
	case s.Taken, s.Closed, s.Status >= 400:
	case s.Complete:
		report(x, r, &d)
	case own && s.Status != 0 && x.ClientGone():
		x.Response().Abort()
	case s.Status != 0:
		x.Notes.SetIntendedStatus(d.problem.Status)
		x.Response().Abort()
		report(x, r, &d)
	case own || firstAnswer(x, w):
		if d.noResponse { // the client may have closed only its sending side; 499 is only logged
			d.problem = internal()
		}
		m.respond(x, w, r, &d)
		if own && d.problem.Status >= 500 && !x.ClientGone() {
			report(x, r, &d)
		}
	}
}

// maxReported bounds the text of an error in the server's ErrorLog.
const maxReported = 1 << 10

// report writes a failure to the server's ErrorLog if there is no log record.
func report(x *exchange.Exchange, r *http.Request, d *decision) {
	if len(x.Observers()) == 0 {
		x.LogIfUnobservedf("errmap: %d for %s \"%s\": \"%s\"", d.problem.Status, errtree.Quote(r.Method, 32),
			errtree.Quote(r.URL.Path, 256), errtree.Quote(errtree.Text(d.cause), maxReported))
	}
}

// respond renders the decision. x is nil outside Bulwark's middleware.
func (m *Mapper) respond(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, d *decision) {
	if m.form != formCustom {
		m.respondStatic(w, r, d)
		return
	}
	t := tracked(w)
	if t == nil {
		t = newTracker(w)
		w = t.shape()
	}
	if t.prepared != nil || !enterRender(x) {
		plain(w, d.problem.Status) // Render has called Write
		return
	}
	p := d.problem
	t.prepared = &p
	defer func() { t.prepared = nil }()
	prepare(w.Header(), &p, nil)
	if v := m.tryRender(x, w, r, p); v != nil && x != nil {
		x.Notes.AddCause(fmt.Errorf("errmap: Render panicked: %s", errtree.Printed(v)))
	}
	if t.Status == 0 && !t.taken {
		plain(w, p.Status)
	}
}

// respondStatic responds in a built-in form, with the body that was encoded in
// advance if there is one.
func (m *Mapper) respondStatic(w http.ResponseWriter, r *http.Request, d *decision) {
	var body body
	if d.rule < len(m.table.rules) && d.reason == nil {
		body = m.table.bodies[d.rule]
	}
	if m.form == formError {
		sendError(w, r, &d.problem, body.short, nil)
	} else {
		sendProblem(w, r, &d.problem, body.document, nil)
	}
}

// tryRender calls the user's function, and returns the value if it panics.
func (m *Mapper) tryRender(x *exchange.Exchange, w http.ResponseWriter, r *http.Request, p Problem) (panicked any) {
	defer leaveRender(x)
	defer func() {
		if panicked = recover(); panicked == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			panic(panicked)
		}
	}()
	m.render(w, r, p)
	return nil
}

// plain sends a minimal response.
func plain(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", typeText)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, statusText(status)+"\n")
}
