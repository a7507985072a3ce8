package quota

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"
)

// Error reports that a request was refused. It is immutable.
type Error struct {
	Policy  string // Config.Name
	KeyHash string // identifies the key in logs: 16 hexadecimal digits; every process has the same hash for a policy and a key
	Rate    Rate   // Config.Rate, with its defaults
	Cost    int    // the cost of the request

	retryAfter time.Duration
}

func (p *policy) refusal(key string, cost int, res Result) *Error {
	return &Error{Policy: p.Name, KeyHash: hashOf(p.Name, key), Rate: p.Rate, Cost: cost, retryAfter: max(0, res.RetryAfter)}
}

// hashOf returns a hash of the key. The hash hides keys that cannot be guessed,
// such as API keys. It does not hide addresses, which can be guessed.
func hashOf(policy, key string) string {
	sum := sha256.Sum256([]byte(policy + "\x00" + key))
	return hex.EncodeToString(sum[:8])
}

// Error returns a text for logs with the policy, its rate, the hash of the key, and
// the time to wait.
func (e *Error) Error() string {
	text := fmt.Sprintf("quota: policy %q: key %s: more than %d per %v", e.Policy, e.KeyHash, e.Rate.Requests, e.Rate.Per)
	switch {
	case e.retryAfter > 0:
		return text + fmt.Sprintf(", retry after %v", e.retryAfter)
	case e.Cost > e.Rate.Burst:
		return text + fmt.Sprintf(": a cost of %d is never allowed", e.Cost)
	}
	return text
}

// StatusCode returns 429.
func (e *Error) StatusCode() int { return http.StatusTooManyRequests }

// RetryAfter returns the time after which the same request will be allowed, if the
// client sends no other request. It is 0 if the request costs more than Burst and
// so is never allowed.
func (e *Error) RetryAfter() time.Duration { return e.retryAfter }

// ProblemType returns the problem type (RFC 9457) of
// draft-ietf-httpapi-ratelimit-headers.
func (e *Error) ProblemType() string {
	return "https://iana.org/assignments/http-problem-types#quota-exceeded"
}

// ProblemTitle returns the draft's title for the problem type.
func (e *Error) ProblemTitle() string {
	return "Request cannot be satisfied as assigned quota has been exceeded"
}

// ProblemExtensions returns the additional member of the problem document that the
// draft defines: the name of the policy.
func (e *Error) ProblemExtensions() map[string]any {
	return map[string]any{"violated-policies": []string{e.Policy}}
}
