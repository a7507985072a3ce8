package quota

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of draft-ietf-httpapi-ratelimit-headers-10: lists of strings with
// integer parameters (RFC 9651). Each policy adds a header line.
const (
	policyField = "Ratelimit-Policy" // in the form of http.CanonicalHeaderKey
	limitField  = "Ratelimit"
)

// maxInteger is the largest Integer in RFC 9651 section 3.3.1.
const maxInteger = 999_999_999_999_999

// sfString returns s as a String of RFC 9651 section 3.3.3. s is printable ASCII.
func sfString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// policyItem returns the policy's item of RateLimit-Policy. The draft has no
// fractions of a second, so Per is rounded up. The header then never promises more
// than the policy allows.
func policyItem(name string, r Rate) string {
	return sfString(name) + ";q=" + integer(int64(r.Requests)) + ";w=" + integer(seconds(r.Per))
}

func integer(n int64) string { return strconv.FormatInt(min(max(n, 0), maxInteger), 10) }

// seconds returns d in whole seconds, rounded up, or 0 if d is negative.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return max(s, 0)
}

// advise sets the headers of a response. t is the time until the bucket is full. It
// is at most Retry-After, as the draft requires (section "Server Behavior").
func (p *policy) advise(h http.Header, res Result) {
	t, retry := seconds(res.ResetAfter), seconds(res.RetryAfter)
	if res.Allowed {
		retry = 0
	}
	if retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(retry, 10))
		t = min(t, retry)
	}
	if p.NoHeaders {
		return
	}
	h[policyField] = append(h[policyField], p.item)
	h[limitField] = append(h[limitField], p.quoted+";r="+integer(int64(res.Remaining))+";t="+integer(t))
}
