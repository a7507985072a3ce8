package errmap

import (
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// ProblemJSON writes p as a problem document of RFC 9457. If the client's Accept
// header prefers application/json, it gets the same document with that type; if it
// prefers text/plain, a short text. If the client accepts none of these, it gets
// the problem document. The response to HEAD has no body. If the status is 500 or
// more, the document has an instance; see [Problem].
//
//	{"title":"Not Found","status":404,"code":"user_not_found"}
//
// The document shows what a rule or a handler put into the Problem, also if the
// status is 500 or more. The title of a built-in problem is the text of the status,
// as RFC 9457 section 4.2.1 recommends. The built-in 500 has the Code "internal",
// and the built-in timeouts have the Code "timeout".
//
// The handler may have set headers for a response that it now does not send.
// ProblemJSON removes the headers that describe that response: Content-Length,
// ETag, Location and similar ones, all kinds of cache control, internal redirects
// (X-Accel-Redirect, X-Sendfile), trailers, and gRPC's status. All other headers
// stay, such as those of outer middleware (CORS, the request id, cookies),
// directives that forbid caching (no-store, no-cache, private), and the
// Content-Range of a 416.
//
// If an extension cannot be encoded, the response is a 500, and the log record has
// the reason.
func ProblemJSON(w http.ResponseWriter, r *http.Request, p Problem) {
	sendProblem(w, r, &p, nil, preparedFor(w))
}

// sendProblem implements ProblemJSON. document is nil unless it was encoded in
// advance. prepared is the Problem that the headers were prepared for, or nil.
func sendProblem(w http.ResponseWriter, r *http.Request, p *Problem, document []byte, prepared *Problem) {
	sanitize(p)
	contentType := negotiate(r.Header["Accept"])
	h := w.Header()
	switch asked := p.Header; {
	case contentType == typeText:
		document = appendText(make([]byte, 0, 128), p)
	case document == nil:
		var ok bool
		if document, ok = encode(r, p); !ok {
			retract(h, asked)
		}
	}
	prepare(h, p, prepared)
	describeBody(h, contentType, true)
	send(w, r, p.Status, document)
}

// ErrorJSON writes p in a short form, always as application/json: {"error":"not
// found"}. If p has Fields, the member "errors" has them:
// [{"pointer":"/name","detail":"…"}]. The text is the Detail; without one it is the
// Title, and without that the text of the status in lower case. The built-in 500 is
// "internal", and the built-in timeouts are "timeout". The body has no other
// members. Headers and HEAD are treated as in [ProblemJSON].
func ErrorJSON(w http.ResponseWriter, r *http.Request, p Problem) {
	sendError(w, r, &p, nil, preparedFor(w))
}

// sendError implements ErrorJSON; see sendProblem.
func sendError(w http.ResponseWriter, r *http.Request, p *Problem, body []byte, prepared *Problem) {
	sanitize(p)
	if body == nil {
		body = appendError(make([]byte, 0, 64), p)
	}
	h := w.Header()
	prepare(h, p, prepared)
	describeBody(h, typeJSON, false)
	send(w, r, p.Status, body)
}

// sanitize replaces a Problem that has no valid status.
func sanitize(p *Problem) {
	if !validErrorStatus(p.Status) {
		*p = internal()
	}
}

// encode returns the document of p. If it cannot be encoded, encode replaces p by a
// 500 and returns the document of that.
func encode(r *http.Request, p *Problem) (document []byte, ok bool) {
	if p.Status >= 500 && p.Instance == "" {
		p.Instance = instance(exchange.From(r.Context()))
	}
	document, err := appendProblem(make([]byte, 0, 128), p)
	if err == nil {
		return document, true
	}
	x := exchange.From(r.Context())
	if x != nil {
		x.Notes.AddCause(err)
	}
	*p = internal()
	p.Instance = instance(x)
	document, _ = appendProblem(document[:0], p) // it has no extensions
	return document, false
}

// staticDocument returns the document of p if it is the same for every request, and
// otherwise nil. A Problem with extensions has none, because they may point to a
// value that changes.
func staticDocument(p *Problem) []byte {
	if p.Status >= 500 && p.Instance == "" || len(p.Extensions) > 0 {
		return nil
	}
	document, err := appendProblem(nil, p)
	if err != nil {
		return nil
	}
	return document
}

func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the exchange records the error
	}
}
