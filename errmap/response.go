package errmap

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxDocument is how much of a body FromResponse reads.
const maxDocument = 1 << 20

// maxText is the length up to which a plain-text body becomes the Detail.
const maxText = 1 << 10

// FromResponse turns the response of another server into an error, for code that
// calls it. It returns nil if the status of res is less than 400. Otherwise it
// returns a *[Problem] with that status and, if the body is a problem document,
// with its members. It reads at most 1 MiB of the body and does not close it.
//
// Members whose type differs from RFC 9457, such as ASP.NET's "errors" object, and
// all other members become Extensions. A number in Extensions is a float64, or a
// json.Number if a float64 would round it. If "code" is a number, Code has its
// text. {"error":"…"} and a short text/plain body become the Detail.
//
// If a handler returns this Problem, your client gets a 502 without the other
// server's text, because your client did not send the request that got the 401 or
// 404. To pass a status on, write a rule:
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
	p := &Problem{Status: res.StatusCode, remote: true, RetryAfter: retryAfter(res.Header, time.Now)}
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
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	switch media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); {
	case media == typeJSON, strings.HasSuffix(media, "+json"):
		p.decode(body)
	case media == "text/plain":
		if s := strings.TrimSpace(string(body)); len(s) <= maxText && utf8.ValidString(s) {
			p.Detail = s
		}
	}
}

// decode reads a JSON object. A member of the wrong type is ignored (RFC 9457
// section 3.1) and kept as an extension.
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
	p.takeFields(members)
	if p.Detail == "" {
		take(members, "error", &p.Detail)
	}
	delete(members, "status")
	for name, raw := range members {
		if v, ok := anyValue(raw); ok {
			if p.Extensions == nil {
				p.Extensions = make(map[string]any)
			}
			p.Extensions[name] = v
		}
	}
	var n json.Number
	if _, ok := p.Extensions["code"].(string); !ok && json.Unmarshal(members["code"], &n) == nil {
		p.Code = n.String()
	}
}

// take moves a member to *to if it has that type.
func take[T any](members map[string]json.RawMessage, name string, to *T) {
	var v T
	raw, ok := members[name]
	if ok && json.Unmarshal(raw, &v) == nil {
		*to = v
		delete(members, name)
	}
}

// takeFields moves "errors" to p.Fields if its elements are FieldErrors.
func (p *Problem) takeFields(members map[string]json.RawMessage) {
	raw, ok := members["errors"]
	if !ok {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var fields []FieldError
	if dec.Decode(&fields) == nil {
		p.Fields = fields
		delete(members, "errors")
	}
}

// anyValue decodes a member. A number is a float64, or a json.Number if a float64
// would round it.
func anyValue(raw json.RawMessage) (v any, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	ok = dec.Decode(&v) == nil
	return withFloats(v), ok
}

func withFloats(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil {
			if b, err := json.Marshal(f); err == nil && string(b) == v.String() {
				return f
			}
		}
	case []any:
		for i := range v {
			v[i] = withFloats(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = withFloats(v[k])
		}
	}
	return v
}

// retryAfter parses the header in either of its forms (RFC 9110 section 10.2.3).
func retryAfter(h http.Header, now func() time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(n, uint64(math.MaxInt64/time.Second))) * time.Second
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
