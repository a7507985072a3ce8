package errmap

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// Problem is what a client is told about an error: the members of RFC 9457, and
// what the answer needs besides. It is the public half; the error it was made
// from goes to the log and nowhere else.
//
// A *Problem is an error: a handler that knows the answer returns one, by
// itself or wrapped next to its cause (errors.Join, or fmt.Errorf with two %w).
//
// Status is the only field that must be set. The maps of a Problem in a rule
// are shared by all requests and must not be written to.
type Problem struct {
	// Status is the HTTP status, 400 to 599.
	Status int

	// Type is a URI that identifies the type of the problem. Default
	// "about:blank", which is left out: the status says it all.
	Type string

	// Title is a short summary of the type, the same for every occurrence.
	// Default: the text of the status, as RFC 9457 wants it for about:blank.
	Title string

	// Detail explains this occurrence to the client.
	Detail string

	// Instance is a URI for this occurrence. Default: none under 500; from 500
	// on a problem document gets "urn:uuid:" and the id that is in the log line.
	Instance string

	// Code is a stable name for programs, such as "user_not_found": the member
	// "code" of a problem document. Default: none.
	Code string

	// Fields says which parts of the input were wrong: the member "errors".
	// Default: none.
	Fields []FieldError

	// RetryAfter is sent as the Retry-After header, in whole seconds, rounded
	// up. Default 0: not sent.
	RetryAfter time.Duration

	// Header is sent with the answer, for example WWW-Authenticate. It replaces
	// what was set before, except for Vary, Set-Cookie and Link, which it is
	// added to. The headers that describe the body itself (Content-Type,
	// Content-Length, Content-Encoding and their like) are not taken from here.
	Header http.Header

	// Extensions are further top-level members of a problem document. A name
	// that is one of the members above, in whatever case, is left out: many
	// decoders do not tell "Status" from "status".
	Extensions map[string]any

	// Level is that of the log line. Default nil: by status.
	Level slog.Leveler

	from  origin
	ready bool // Write has prepared the headers
}

// FieldError is one thing wrong with the input. Pointer is a JSON pointer
// (RFC 6901) into the body, such as "/address/zip"; Detail says to the client
// what is wrong there.
type FieldError struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// origin is where a Problem was made.
type origin uint8

const (
	fromUser    origin = iota
	fromBuiltin        // a built-in rule: ErrorJSON shows its Code
	fromRemote         // FromResponse: what a server told us as its client
)

// Remote reports whether the problem came from [FromResponse]: it is about a
// request of ours to somebody else, and its status is not ours.
func (p *Problem) Remote() bool { return p != nil && p.from == fromRemote }

// Error is for logs.
func (p *Problem) Error() string {
	if p == nil {
		return "<nil>"
	}
	s := strconv.Itoa(p.Status) + " " + p.title()
	if p.Remote() {
		s = "remote: " + s
	}
	if p.Code != "" {
		s += " (" + p.Code + ")"
	}
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	return s
}

// title is the Title or what stands for it.
func (p *Problem) title() string {
	if p.Title != "" {
		return p.Title
	}
	return statusText(p.Status)
}

// statusText is http.StatusText, and never empty.
func statusText(status int) string {
	if s := http.StatusText(status); s != "" {
		return s
	}
	return "Status " + strconv.Itoa(status)
}

// sound reports whether the status is one that an error may have.
func sound(status int) bool { return status >= 400 && status <= 599 }

// internal is the answer that says nothing.
func internal() Problem {
	return Problem{Status: http.StatusInternalServerError, Code: "internal", from: fromBuiltin}
}
