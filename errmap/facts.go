package errmap

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// facts is what the built-in rules need to know about the request. In Explain,
// which has no request, it is zero.
type facts struct {
	x *exchange.Exchange // nil outside Bulwark's middleware
	r *http.Request

	kind  exchange.BodyFault // what went wrong in the request's body
	fault error              // the error that reading it returned

	call bool // the error comes from a request to another server: it is the error of such a request, or part of one
}

func factsOf(x *exchange.Exchange, r *http.Request) facts {
	f := facts{x: x, r: r, call: outbound(r)}
	if x != nil {
		f.kind, f.fault = x.Body().Fault()
	}
	return f
}

// isCall reports whether err is the error of a request that an http.Client has
// made. An io.EOF in such an error means that the other server has closed the
// connection. url.Parse returns errors of the same type, but these are not of a
// request.
func isCall(err error) bool {
	e, ok := err.(*url.Error) //nolint:errorlint // the walk unwraps
	return ok && e.Op != "parse"
}

// problem returns the Problem for a body that could not be read.
func (f *facts) problem() Problem {
	switch f.kind {
	case exchange.BodyTimeout:
		return timeoutProblem(http.StatusRequestTimeout)
	case exchange.BodyTooLarge:
		return statusProblem(http.StatusRequestEntityTooLarge)
	default:
		return statusProblem(http.StatusBadRequest)
	}
}

// subject is a condition on the request in a built-in rule.
type subject uint8

const (
	ofAnything    subject = iota
	ofRequestBody         // the request had a body
	ofEmptyBody           // it had no body, or a multipart form: io.EOF then means that a part is missing
	ofMultipart           // it had a multipart form
	ofForm                // it had a form or a malformed query
	ofJSON                // it had a body; or it had none, and err says that there was nothing to decode
)

// about reports whether err may be about the subject. It is not a table of
// functions, so that facts is not allocated.
func (f *facts) about(s subject, err error) bool {
	const multipart = "multipart/form-data"
	if f.call && s != ofAnything && s != ofRequestBody { // the error is about the other server's response
		return false
	}
	switch s {
	case ofRequestBody:
		return f.hadBody()
	case ofEmptyBody:
		return f.lackedBody() || f.hadForm(multipart)
	case ofMultipart:
		return f.hadForm(multipart)
	case ofForm:
		return f.hadForm("application/x-www-form-urlencoded") || f.badQuery()
	case ofJSON:
		return f.hadBody() || f.lackedBody() && isEmptyJSON(err)
	default:
		return true
	}
}

// isEmptyJSON reports whether err is the error that encoding/json returns for an
// empty input.
func isEmptyJSON(err error) bool {
	e, ok := err.(*json.SyntaxError) //nolint:errorlint // the walk unwraps
	return ok && e.Offset == 0 || isEmptyV2(err)
}

// hadBody reports whether the client sent a body.
func (f *facts) hadBody() bool {
	if f.r == nil {
		return true
	}
	r := f.r
	if f.x != nil {
		r = f.x.Original()
	}
	return r.Body != nil && r.Body != http.NoBody
}

// lackedBody reports whether the request had no body although its method needs one.
func (f *facts) lackedBody() bool {
	if f.r == nil || f.hadBody() {
		return false
	}
	switch f.r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return true
	default:
		return false
	}
}

// hadForm reports whether the client sent a form of the given media type.
func (f *facts) hadForm(mediaType string) bool {
	if f.r == nil || !f.hadBody() {
		return false
	}
	media, _, err := mime.ParseMediaType(f.r.Header.Get("Content-Type"))
	return media == mediaType && (err == nil || err == mime.ErrInvalidMediaParameter)
}

// badQuery reports whether the query of the URL is malformed. Request.ParseForm
// parses it together with the body.
func (f *facts) badQuery() bool {
	if f.r == nil || f.r.URL == nil {
		return false
	}
	_, err := url.ParseQuery(f.r.URL.RawQuery)
	return err != nil
}

// outbound reports whether r is the request that an httputil.ReverseProxy sends to
// its upstream and passes to its ErrorHandler: a clone of the server's request with
// the URL of another host.
func outbound(r *http.Request) bool {
	u := r.URL
	return u != nil && u.Host != "" && u.Scheme != "" && r.RequestURI != "" &&
		!strings.HasPrefix(r.RequestURI, u.Scheme+"://") && // a client sends such a target to a forward proxy
		!strings.EqualFold(u.Host, r.Host) // middleware may complete the URL of the server's request
}
