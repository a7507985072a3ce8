package errmap

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// prepare prepares the header map for an error response. It removes the headers
// that describe the response that is not sent, and sets the headers of the Problem.
// All other headers stay, such as those of outer middleware (CORS, the request id).
//
// If a Render is running, Write has already called prepare with the Problem that
// Render got. Headers that Render has set since then stay. Of the headers of p,
// only those that differ from that Problem are set.
func prepare(h http.Header, p, prepared *Problem) {
	var wait time.Duration
	if prepared != nil {
		wait = prepared.RetryAfter
	} else if len(h) > 0 {
		dropSuccess(h, p.Status)
	}
	if p.RetryAfter > 0 && p.RetryAfter != wait {
		h["Retry-After"] = []string{strconv.FormatInt(seconds(p.RetryAfter), 10)}
	}
	if len(p.Header) > 0 {
		adopt(h, p, prepared)
	}
}

// preparedFor returns the Problem that the headers of w were prepared for, or nil.
func preparedFor(w http.ResponseWriter) *Problem {
	if t := tracked(w); t != nil {
		return t.prepared
	}
	return nil
}

// adopt sets the headers of the problem. RetryAfter takes precedence over a
// Retry-After header.
func adopt(h http.Header, p, prepared *Problem) {
	for k, values := range p.Header {
		if prepared != nil && slices.Equal(prepared.Header[k], values) {
			continue
		}
		k = http.CanonicalHeaderKey(k)
		switch {
		case ofBody(k) && !(k == "Content-Range" && p.Status == http.StatusRequestedRangeNotSatisfiable),
			k == "Retry-After" && p.RetryAfter > 0:
		case k == "Vary" || k == "Set-Cookie" || k == "Link":
			h[k] = merged(h[k], values)
		default:
			h[k] = slices.Clone(values)
		}
	}
}

// retract removes what prepare set for a problem that is not sent.
func retract(h, set http.Header) {
	for k := range set {
		h.Del(k)
	}
	h.Del("Retry-After")
}

// ofBody reports whether a header describes the body. Only the code that writes the
// body can set it.
func ofBody(k string) bool {
	switch k {
	case "Content-Type", "Content-Length", "Content-Encoding", "Content-Range",
		"Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Etag", "Transfer-Encoding", "Trailer":
		return true
	default:
		return false
	}
}

// merged returns have, followed by the values that are not in have.
func merged(have, values []string) []string {
	for _, v := range values {
		if !slices.Contains(have, v) {
			have = append(slices.Clip(have), v)
		}
	}
	return have
}

// seconds returns d in whole seconds, rounded up.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}

// The media types of responses.
const (
	typeProblem = "application/problem+json"
	typeJSON    = "application/json"
	typeText    = "text/plain; charset=utf-8"
)

// describeBody sets the headers of the body. vary is true if the media type was
// negotiated. All values share one array, to save allocations.
func describeBody(h http.Header, contentType string, vary bool) {
	v := &[3]string{contentType, "nosniff", "Accept"}
	h["Content-Type"] = v[0:1:1]
	h["X-Content-Type-Options"] = v[1:2:2]
	if !vary || variesBy(h["Vary"], "Accept") {
		return
	}
	if have := h["Vary"]; len(have) > 0 {
		h["Vary"] = append(slices.Clip(have), "Accept")
	} else {
		h["Vary"] = v[2:3:3]
	}
}

// variesBy reports whether one of the lists names the header, or "*".
func variesBy(lists []string, name string) bool {
	for _, list := range lists {
		for f := range strings.SplitSeq(list, ",") {
			if f = strings.TrimSpace(f); f == "*" || strings.EqualFold(f, name) {
				return true
			}
		}
	}
	return false
}
