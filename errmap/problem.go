package errmap

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// Problem is what the client sees of an error: the members of RFC 9457, and the
// headers. The error itself is only logged.
//
// A *Problem is an error. A handler can return a *Problem as it is, or with a
// cause; see [Problem.Because].
//
// Status is the only required field. All requests share the maps of a Problem that
// is part of a rule. Do not write to these maps.
type Problem struct {
	// Status is the HTTP status, 400 to 599.
	Status int

	// Type is a URI that identifies the problem type. Default "": the response has
	// no type, which means "about:blank" (RFC 9457 section 4.2.1).
	Type string

	// Title is a short summary of the problem type, the same for every occurrence.
	// Default: the text of the status, as RFC 9457 recommends for about:blank.
	Title string

	// Detail explains this occurrence to the client. Default: none.
	Detail string

	// Instance is a URI for this occurrence. Default: none if Status is less than
	// 500; otherwise "urn:uuid:" followed by the request_id or problem_id of the
	// log record.
	Instance string

	// Code is a stable name for programs, such as "user_not_found". It is the
	// member "code" of a problem document. Default: none.
	Code string

	// Fields lists what is wrong with the input. It is the member "errors" of a
	// problem document. Default: none.
	Fields []FieldError

	// RetryAfter is sent as the Retry-After header, in whole seconds, rounded
	// up. Default 0: not sent.
	RetryAfter time.Duration

	// Header is sent with the response, for example WWW-Authenticate. It replaces
	// headers that were set before, except for Vary, Set-Cookie and Link, to which
	// its values are added. Headers that describe the body, such as Content-Type,
	// Content-Length and Content-Encoding, are ignored. Default: none.
	Header http.Header

	// Extensions are additional top-level members of a problem document. A member
	// that has the name of a field above is left out, in upper or lower case,
	// because many decoders do not distinguish "Status" from "status". Default:
	// none.
	Extensions map[string]any

	// Level is the level of the log record. Default nil: it depends on the status.
	Level slog.Leveler

	remote bool // FromResponse made it
}

// FieldError is one error in the input. Pointer is a JSON pointer (RFC 6901) into
// the body, such as "/address/zip". Detail tells the client what is wrong there.
type FieldError struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Remote reports whether the Problem came from [FromResponse]: it is about a
// request that you sent to another server.
func (p *Problem) Remote() bool { return p != nil && p.remote }

// Because returns an error that has p as its response and err as its cause: the
// client sees p, and the log record has err. errors.Is and errors.As find both. If
// a rule of the Config matches err, the rule decides instead of p. If err is nil,
// Because returns p.
//
//	return (&errmap.Problem{Status: http.StatusConflict, Detail: "The name is taken."}).Because(err)
func (p *Problem) Because(err error) error {
	if err == nil {
		return p
	}
	return &explained{p, err}
}

// explained is a Problem with its cause.
type explained struct {
	problem *Problem
	cause   error
}

func (e *explained) Error() string   { return e.problem.Error() + ": " + e.cause.Error() }
func (e *explained) Unwrap() []error { return []error{e.problem, e.cause} }

// Error returns a text for logs.
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

// title returns the Title or its default.
func (p *Problem) title() string {
	if p.Title != "" {
		return p.Title
	}
	return statusText(p.Status)
}

// statusText returns http.StatusText, or a text for a status that has none.
func statusText(status int) string {
	if s := http.StatusText(status); s != "" {
		return s
	}
	return "Status " + strconv.Itoa(status)
}

// validErrorStatus reports whether an error may have the status.
func validErrorStatus(status int) bool { return status >= 400 && status <= 599 }
