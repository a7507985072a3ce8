package errmap

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxDocument is how much of a body FromResponse reads.
const maxDocument = 1 << 20

// maxText is how long a plain-text body may be to be taken for a Detail.
const maxText = 1 << 10

// FromResponse is for the client's side: nil for a status under 400, else a
// *[Problem] made of the response. Members of a problem document that are of
// the wrong type are left out, other members become Extensions, and a body that
// is no problem document does no harm: {"error":"…"} and a short text/plain
// become the Detail. The status is that of the response, whatever the document
// says. At most 1 MiB is read; closing the body stays with the caller.
//
// The Problem remembers that it is remote. Returned by a handler it is answered
// with 502 and nothing of its text: that somebody else did not let us in (401)
// or did not find something (404) does not mean that our client may not come in
// or asked for something that is not there. Where it does mean that, a rule
// says so, before the built-in one:
//
//	errmap.As(func(p *errmap.Problem) errmap.Problem {
//		switch {
//		case !p.Remote():
//			return *p
//		case p.Status == http.StatusNotFound:
//			return errmap.Problem{Status: http.StatusNotFound}
//		default:
//			return errmap.Problem{Status: http.StatusBadGateway}
//		}
//	})
func FromResponse(res *http.Response) error {
	switch {
	case res == nil:
		return errors.New("errmap: FromResponse: the response is nil")
	case res.StatusCode < 400:
		return nil
	}
	p := &Problem{Status: res.StatusCode, from: fromRemote, RetryAfter: retryAfter(res.Header, time.Now)}
	p.read(res)
	return p
}

// read fills p from the body.
func (p *Problem) read(res *http.Response) {
	if res.Body == nil {
		return
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil || len(body) > maxDocument {
		return
	}
	switch media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); {
	case media == typeJSON, strings.HasSuffix(media, "+json"):
		p.decode(body)
	case media == "text/plain":
		if s := strings.TrimSpace(string(body)); len(s) <= maxText && utf8.ValidString(s) {
			p.Detail = s
		}
	}
}

// decode takes what it can use from a JSON object (RFC 9457 section 3.1: a
// member of the wrong type is ignored).
func (p *Problem) decode(body []byte) {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return
	}
	for name, to := range map[string]*string{
		"type": &p.Type, "title": &p.Title, "detail": &p.Detail, "instance": &p.Instance, "code": &p.Code,
	} {
		take(members, name, to)
	}
	take(members, "errors", &p.Fields)
	if p.Detail == "" {
		take(members, "error", &p.Detail)
	}
	for name, raw := range members {
		var v any
		if !slices.Contains(standard[:], name) && json.Unmarshal(raw, &v) == nil {
			if p.Extensions == nil {
				p.Extensions = make(map[string]any)
			}
			p.Extensions[name] = v
		}
	}
}

// take moves a member into to, if it is of that type.
func take[T any](members map[string]json.RawMessage, name string, to *T) {
	var v T
	raw, ok := members[name]
	if ok && json.Unmarshal(raw, &v) == nil {
		*to = v
		delete(members, name)
	}
}

// retryAfter reads the header in either of its forms (RFC 9110 section 10.2.3).
func retryAfter(h http.Header, now func() time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Duration(min(max(n, 0), int64(math.MaxInt64/time.Second))) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		from = now()
	}
	return max(at.Sub(from), 0)
}
