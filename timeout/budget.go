package timeout

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The three dialects in which a caller says how long it will wait.
const (
	grpcHeader    = "Grpc-Timeout" // gRPC over HTTP/2: up to 8 digits and a unit
	envoyHeader   = "X-Envoy-Expected-Rq-Timeout-Ms"
	requestHeader = "X-Request-Timeout-Ms"
)

// maxBudget is the longest budget taken for one: more is no deadline but a
// mistake, or an attempt at an overflow.
const maxBudget = 365 * 24 * time.Hour

// callerBudget is the shortest budget that the headers give. A header that
// gives none that makes sense is passed over, and err says so.
func callerBudget(h http.Header) (budget time.Duration, ok bool, err error) {
	for _, d := range [...]struct {
		name  string
		parse func(string) (time.Duration, error)
	}{{grpcHeader, parseGRPC}, {envoyHeader, parseMillis}, {requestHeader, parseMillis}} {
		for _, v := range h[d.name] {
			b, perr := d.parse(v)
			switch {
			case perr != nil:
				err = errors.Join(err, fmt.Errorf("timeout: %s ignored: %w", d.name, perr))
			case !ok || b < budget:
				budget, ok = b, true
			}
		}
	}
	return budget, ok, err
}

var (
	errSyntax = errors.New("malformed")
	errAbsurd = errors.New("too large")
)

// grpcUnits are those of the gRPC protocol, the smallest first.
var grpcUnits = [...]struct {
	letter byte
	size   time.Duration
}{
	{'n', time.Nanosecond}, {'u', time.Microsecond}, {'m', time.Millisecond},
	{'S', time.Second}, {'M', time.Minute}, {'H', time.Hour},
}

// grpcDigits is how many digits the gRPC protocol allows.
const grpcDigits = 8

func parseGRPC(s string) (time.Duration, error) {
	if len(s) < 2 {
		return 0, errSyntax
	}
	digits, letter := s[:len(s)-1], s[len(s)-1]
	for _, u := range grpcUnits {
		if u.letter == letter {
			return parseCount(digits, grpcDigits, u.size)
		}
	}
	return 0, errSyntax
}

func parseMillis(s string) (time.Duration, error) {
	return parseCount(s, len("9223372036854775807"), time.Millisecond)
}

// parseCount reads digits as a number of units. A negative number is a budget
// that is spent.
func parseCount(s string, most int, unit time.Duration) (time.Duration, error) {
	digits, negative := s, false
	if len(s) > 0 && s[0] == '-' {
		digits, negative = s[1:], true
	}
	if digits == "" || len(digits) > most {
		return 0, errSyntax
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, errSyntax
		}
	}
	if negative {
		return 0, nil
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > int64(maxBudget/unit) {
		return 0, errAbsurd
	}
	return time.Duration(n) * unit, nil
}

// formatBudget writes d in the dialect of the header. Both round up: rounding
// down would send a budget of nothing where there was a little.
func formatBudget(header string, d time.Duration) string {
	if header != grpcHeader {
		return strconv.FormatInt(ceil(d, time.Millisecond), 10)
	}
	for _, u := range grpcUnits {
		if n := ceil(d, u.size); n < 1e8 {
			return strconv.FormatInt(n, 10) + string(u.letter)
		}
	}
	return "99999999H"
}

// ceil is d in units, rounded up.
func ceil(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}
