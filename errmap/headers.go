package errmap

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// prepare makes the header map ready for an answer: what described the failed
// success goes, what the problem brings comes, everything else stays, above all
// what outer middleware set (CORS, the id of the request). What a Render has set
// since Write did this stays, too.
func prepare(h http.Header, p *Problem) {
	if p.ready {
		return
	}
	p.ready = true
	if len(h) > 0 {
		dropSuccess(h)
	}
	if p.RetryAfter > 0 {
		h["Retry-After"] = []string{strconv.FormatInt(seconds(p.RetryAfter), 10)}
	}
	if len(p.Header) > 0 {
		adopt(h, p)
	}
}

func dropSuccess(h http.Header) {
	for k := range h {
		if ofSuccess(k) {
			delete(h, k)
		}
	}
}

// adopt takes over the headers of the problem. RetryAfter wins over a header of
// that name.
func adopt(h http.Header, p *Problem) {
	for k, values := range p.Header {
		k = http.CanonicalHeaderKey(k)
		switch {
		case ofBody(k), k == "Retry-After" && p.RetryAfter > 0:
		case k == "Vary" || k == "Set-Cookie" || k == "Link":
			h[k] = merged(h[k], values)
		default:
			h[k] = slices.Clone(values)
		}
	}
}

// retract takes back what prepare set for a problem that is not sent after all.
func retract(h, asked http.Header) {
	for k := range asked {
		h.Del(k)
	}
	h.Del("Retry-After")
}

// ofSuccess reports whether a header describes the content that is not sent
// after all, in the way in which it was going to be sent.
func ofSuccess(k string) bool {
	switch k {
	case "Content-Length", "Content-Encoding", "Content-Language", "Content-Range",
		"Content-Disposition", "Content-Location", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest",
		"Etag", "Last-Modified", "Cache-Control", "Expires", "Age", "Accept-Ranges", "Location":
		return true
	default:
		return false
	}
}

// ofBody reports whether a header says what only the one who writes the body
// knows.
func ofBody(k string) bool {
	switch k {
	case "Content-Type", "Content-Length", "Content-Encoding", "Content-Range",
		"Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Etag", "Transfer-Encoding", "Trailer":
		return true
	default:
		return false
	}
}

// merged is have with the values that it lacks.
func merged(have, values []string) []string {
	for _, v := range values {
		if !slices.Contains(have, v) {
			have = append(slices.Clip(have), v)
		}
	}
	return have
}

// seconds is d in whole seconds, rounded up.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}

// The media types of an answer.
const (
	typeProblem = "application/problem+json"
	typeJSON    = "application/json"
	typeText    = "text/plain; charset=utf-8"
)

// describeBody sets the headers of the body. vary says that it was negotiated.
// One array holds the values of all of them.
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
