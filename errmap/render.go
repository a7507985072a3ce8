package errmap

import (
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// ProblemJSON answers with a problem document of RFC 9457, or with what the
// client's Accept header prefers to it: the same document as application/json,
// or one line of text/plain. Where nothing of that is acceptable it is the
// problem document all the same: an answer in the wrong form is worth more than
// none. HEAD gets no body. From 500 on the document carries an instance, see
// [Problem].
//
//	{"title":"Not Found","status":404,"code":"user_not_found"}
//
// What is public is what a rule says, whatever the status: a deliberate 503 may
// explain itself, and an unknown error never does. The built-in answers have no
// Title, so that a document without a type is titled as RFC 9457 section 4.2.1
// wants it, by the status: "Internal Server Error". The built-in 500 and the
// timeouts have a Code instead, "internal" and "timeout".
//
// Headers that described the success that failed (Content-Length, ETag,
// Cache-Control and their like) are dropped; those that outer middleware set
// (CORS, the id of the request, cookies) stay.
//
// A value among the extensions that cannot be encoded turns the answer into a
// 500, and the reason goes to the log line; so the document is never half a one.
func ProblemJSON(w http.ResponseWriter, r *http.Request, p Problem) {
	mend(&p)
	contentType := negotiate(r.Header["Accept"])
	h := w.Header()
	var body []byte
	if contentType == typeText {
		body = appendText(make([]byte, 0, 128), &p)
	} else if asked := p.Header; !document(r, &p, &body) {
		retract(h, asked)
	}
	prepare(h, &p)
	describeBody(h, contentType, true)
	send(w, r, p.Status, body)
}

// ErrorJSON answers in the short form, {"error":"not found"}, and where there
// are Fields with "errors" next to it: [{"pointer":"/name","detail":"…"}]. It
// shows the Detail, else the Title, else the text of the status in lower case.
// Of the built-in answers those that have a Code show that: "internal" for an
// error that nobody knows, "timeout" for a deadline; a Problem of yours is shown
// by its own words only. Nothing else of the Problem is in the body, and it is
// always application/json. Headers and HEAD are as with [ProblemJSON].
func ErrorJSON(w http.ResponseWriter, r *http.Request, p Problem) {
	mend(&p)
	body := appendError(make([]byte, 0, 64), &p)
	prepare(w.Header(), &p)
	describeBody(w.Header(), typeJSON, false)
	send(w, r, p.Status, body)
}

// mend makes a Problem that cannot be sent into one that can.
func mend(p *Problem) {
	if !sound(p.Status) {
		*p = internal()
	}
}

// document encodes p. If that fails it makes p the 500 that it encodes instead.
func document(r *http.Request, p *Problem, body *[]byte) (ok bool) {
	if p.Status >= 500 && p.Instance == "" {
		p.Instance = instance(exchange.From(r.Context()))
	}
	var err error
	if *body, err = appendProblem(make([]byte, 0, 128), p); err == nil {
		return true
	}
	x := exchange.From(r.Context())
	if x != nil {
		x.Note(err)
	}
	*p = internal()
	p.Instance = instance(x)
	*body, _ = appendProblem((*body)[:0], p) // it has no extensions
	return false
}

func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the exchange notes what the wire says
	}
}
