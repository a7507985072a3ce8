package quota

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// Config configures [New].
type Config struct {
	// Rate is the rate for each key. Required.
	Rate Rate

	// Key returns the key of the client that sent the request. Requests with the key
	// "" are not limited. Default nil: ByAddress().
	Key func(*http.Request) string

	// Cost returns the cost of the request, in units of Rate.Requests. A negative cost
	// counts as 0. Default nil: every request costs 1.
	Cost func(*http.Request) int

	// Name is the name of the policy in headers, errors and the keys of a shared
	// Store. It must be printable ASCII. Default "default".
	Name string

	// Store keeps the buckets. If it returns an error, the request is served, and its
	// log record has the error as a remark. Default nil: a store in the memory of this
	// process, for this policy only.
	Store Store

	// MaxKeys bounds the number of keys in the default Store; see [NewMemoryStore].
	// Default 0: 100,000.
	MaxKeys int

	// NoHeaders omits the headers RateLimit and RateLimit-Policy from all
	// responses. Default false: they are sent.
	NoHeaders bool

	// Shadow only reports what would be refused: such a request is served and does not
	// count, and its log record has a remark. No RateLimit headers are sent. Default
	// false: requests are refused.
	Shadow bool

	// ErrorHandler writes the response to a refused request. err is an *Error.
	// Retry-After and the RateLimit headers are already set. If ErrorHandler writes
	// nothing, the default response is sent. (*errmap.Mapper).Write can be used
	// here. Default nil: status 429 and a short plain-text body.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// Rate is a rate of requests: a bucket that holds up to Burst and is filled evenly
// with Requests in every Per.
type Rate struct {
	Requests int           // required
	Per      time.Duration // required
	Burst    int           // the maximum number of requests at once. Default 0: Requests
}

func (r Rate) withDefaults() Rate {
	if r.Burst == 0 {
		r.Burst = r.Requests
	}
	return r
}

func (r Rate) validate() (errs []error) {
	for _, f := range []struct {
		wrong bool
		text  string
	}{
		{r.Requests <= 0, "Rate.Requests must be positive"},
		{r.Per <= 0, "Rate.Per must be positive"},
		{r.Burst < 0, "Rate.Burst must not be negative"},
	} {
		if f.wrong {
			errs = append(errs, errors.New(f.text))
		}
	}
	return errs
}

const (
	defaultName    = "default"
	defaultMaxKeys = 100_000
)

func (c Config) withDefaults() Config {
	c.Rate = c.Rate.withDefaults()
	if c.Key == nil {
		c.Key = ByAddress()
	}
	if c.Name == "" {
		c.Name = defaultName
	}
	return c
}

func (c Config) validate() error {
	errs := c.Rate.validate()
	if strings.ContainsFunc(c.Name, func(r rune) bool { return r < ' ' || r > '~' }) {
		errs = append(errs, errors.New("Name must be printable ASCII"))
	}
	if v := reflect.ValueOf(c.Store); v.Kind() == reflect.Pointer && v.IsNil() { // it would panic at the first request
		errs = append(errs, fmt.Errorf("Store must not be a nil %T", c.Store))
	}
	if c.MaxKeys < 0 {
		errs = append(errs, errors.New("MaxKeys must not be negative"))
	}
	return joined(errs)
}

// joined is errors.Join on one line. It returns nil if errs is empty.
func joined(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}
