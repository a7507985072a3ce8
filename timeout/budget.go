package timeout

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The three headers in which a caller says how long it will wait.
const (
	grpcHeader    = "Grpc-Timeout" // gRPC over HTTP/2: up to 8 digits and a unit
	envoyHeader   = "X-Envoy-Expected-Rq-Timeout-Ms"
	requestHeader = "X-Request-Timeout-Ms"
)

// maxBudget is the longest budget that is accepted. A longer one is a mistake, or
// an attempt to overflow.
const maxBudget = 365 * 24 * time.Hour

// budgetHeaders says how each header is parsed.
var budgetHeaders = [...]struct {
	name  string
	parse func(string) (time.Duration, error)
}{{grpcHeader, parseGRPC}, {envoyHeader, parseMillis}, {requestHeader, parseMillis}}

// callerBudget returns the shortest budget in the headers. Several values in one
// field and several fields are the same list (RFC 9110 section 5.3). Malformed
// values are ignored. err names each header once, even if it has thousands of
// malformed values.
func callerBudget(h http.Header) (budget time.Duration, ok bool, err error) {
	var ignored []error
	for _, d := range budgetHeaders {
		if len(h[d.name]) == 0 {
			continue
		}
		l := budgets{parse: d.parse}
		for _, field := range h[d.name] {
			l.read(field)
		}
		if l.found && (!ok || l.shortest < budget) {
			budget, ok = l.shortest, true
		}
		if l.firstErr != nil {
			ignored = append(ignored, l.ignored(d.name))
		}
	}
	return budget, ok, errors.Join(ignored...)
}

// budgets are the values of one header.
type budgets struct {
	parse    func(string) (time.Duration, error)
	shortest time.Duration
	found    bool
	firstErr error // of the first malformed value
	errs     int   // how many values are malformed
}

// read reads one field. Empty elements of a list are ignored (RFC 9110 section
// 5.6.1). A field with only empty elements is malformed.
func (l *budgets) read(field string) {
	empty := true
	for more := true; more; {
		var v string
		v, field, more = strings.Cut(field, ",")
		if v = strings.Trim(v, " \t"); v != "" {
			empty = false
			l.add(l.parse(v))
		}
	}
	if empty {
		l.add(0, errSyntax)
	}
}

func (l *budgets) add(b time.Duration, err error) {
	switch {
	case err != nil:
		l.errs++
		if l.firstErr == nil {
			l.firstErr = err
		}
	case !l.found || b < l.shortest:
		l.shortest, l.found = b, true
	}
}

func (l *budgets) ignored(name string) error {
	if l.errs == 1 {
		return fmt.Errorf("timeout: ignored %s: %w", name, l.firstErr)
	}
	return fmt.Errorf("timeout: ignored %d values of %s, the first is %w", l.errs, name, l.firstErr)
}

var (
	errSyntax = errors.New("malformed")
	errRange  = errors.New("too large")
)

// grpcUnits are the units of the gRPC protocol, smallest first.
var grpcUnits = [...]struct {
	letter byte
	size   time.Duration
}{
	{'n', time.Nanosecond}, {'u', time.Microsecond}, {'m', time.Millisecond},
	{'S', time.Second}, {'M', time.Minute}, {'H', time.Hour},
}

// grpcDigits is the number of digits that the gRPC protocol allows.
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

// parseCount parses s as a number of units. A negative number is a spent budget.
func parseCount(s string, maxDigits int, unit time.Duration) (time.Duration, error) {
	digits, negative := s, false
	if len(s) > 0 && s[0] == '-' {
		digits, negative = s[1:], true
	}
	if digits == "" || len(digits) > maxDigits {
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
		return 0, errRange
	}
	return time.Duration(n) * unit, nil
}

// formatBudget formats d for the header. It rounds up, because rounding down could
// turn a small budget into a spent one.
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

// ceil returns d in units, rounded up.
func ceil(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}
