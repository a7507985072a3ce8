package limits

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Config configures [New]. The zero value of every field is the documented
// default; a limit that is 0 is not enforced.
type Config struct {
	// MaxBodyBytes is the largest body, in bytes on the wire. Default 0: any.
	MaxBodyBytes int64

	// BodyCeiling is how far Override may raise MaxBodyBytes and
	// MaxDecodedBytes. With it a declared length between the two is refused at
	// the first Read, because only then is it known which limit counts; above the
	// ceiling it is refused before the handler runs. Default 0: Override may only
	// lower them.
	BodyCeiling int64

	// MaxDecodedBytes lets the handler read a body with a Content-Encoding (gzip,
	// deflate) decoded, and is how much that may be, in bytes; any other coding
	// is refused with 415. Default 0: bodies are passed on encoded.
	MaxDecodedBytes int64

	// MaxDecodeRatio is how many decoded bytes an encoded one may become, looked
	// at once there is more than 1 MiB. Default 0: 100.
	MaxDecodeRatio int

	// MinBodyRate is how fast a body must come, in bytes per second over the time
	// that the handler spent waiting for it. Default 0: as slowly as it likes.
	MinBodyRate int64

	// BodyGrace is how long a handler may wait for the body before MinBodyRate
	// counts, and by how much a client may fall behind it later. Default 5 s.
	BodyGrace time.Duration

	// MaxURIBytes is the longest request target, in bytes. Default 0: what the
	// server accepts.
	MaxURIBytes int

	// MaxHeaderBytes is how large the header may be: names and values, and 4
	// bytes more for each. Default 0: what the server accepts.
	MaxHeaderBytes int

	// MaxHeaderFields is how many fields the header may have, repeated ones
	// counted as often as they come. Default 0: what the server accepts.
	MaxHeaderFields int

	// MaxInFlight is how many requests are served at once. Default 0: any number.
	//
	// A permit comes back when the handler has ended: by returning, by a panic,
	// by runtime.Goexit. A handler that outlives its deadline keeps it, because
	// it still uses what the permit stands for; so does a stream for as long as
	// it lasts, and package timeout is what bounds it. A hijacked connection
	// gives its permit back at once: it may live for days, no deadline of ours
	// reaches it, and a few hundred idle sockets would close the service for
	// everybody else. Long-lived connections are the application's to count.
	MaxInFlight int

	// MaxQueue is how many more may wait for their turn, first in, first out. One
	// whose client leaves gives up its place. (On HTTP/1 net/http looks for that
	// only once the body has been read, if there is one; until then MaxWait is what
	// ends the waiting of a request with a body.) Default 0: none.
	MaxQueue int

	// MaxWait is how long one may wait; less where its deadline is nearer.
	// Default 1 s.
	MaxWait time.Duration

	// RetryAfter is when a client that got 503 may try again. What it is told is
	// drawn anew for every response, between RetryAfter and twice that, so that
	// those who were refused together do not come back together. Default 1 s.
	RetryAfter time.Duration

	// Shadow reports what would be refused and refuses nothing: each becomes a
	// remark on the request's line in the log. Default false.
	Shadow bool

	// ErrorHandler answers a request that is refused, with an *Error or an
	// *http.MaxBytesError, instead of the default: status and a short plain-text
	// body. Connection, Accept-Encoding and Retry-After are set already where
	// they belong. (*errmap.Mapper).Write fits.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

func (c Config) withDefaults() Config {
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.BodyGrace, 5 * time.Second}, {&c.MaxWait, time.Second}, {&c.RetryAfter, time.Second}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if c.MaxDecodeRatio == 0 {
		c.MaxDecodeRatio = 100
	}
	return c
}

func (c Config) validate() error {
	errs := c.negative()
	for _, f := range []struct {
		wrong bool
		text  string
	}{
		{c.BodyCeiling > 0 && c.BodyCeiling < c.MaxBodyBytes, "BodyCeiling must not be less than MaxBodyBytes"},
		{c.BodyCeiling > 0 && c.MaxBodyBytes == 0 && c.MaxDecodedBytes == 0, "BodyCeiling needs MaxBodyBytes or MaxDecodedBytes"},
		{c.MaxDecodeRatio > 0 && c.MaxDecodedBytes == 0, "MaxDecodeRatio needs MaxDecodedBytes"},
		{c.BodyGrace > 0 && c.MinBodyRate == 0, "BodyGrace needs MinBodyRate"},
		{c.MaxQueue > 0 && c.MaxInFlight == 0, "MaxQueue needs MaxInFlight"},
		{c.MaxWait > 0 && c.MaxQueue <= 0, "MaxWait needs MaxQueue"},
		{c.RetryAfter > 0 && c.MaxInFlight == 0, "RetryAfter needs MaxInFlight"},
	} {
		if f.wrong {
			errs = append(errs, errors.New(f.text))
		}
	}
	return joined(errs)
}

func (c Config) negative() (errs []error) {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxBodyBytes", c.MaxBodyBytes}, {"BodyCeiling", c.BodyCeiling},
		{"MaxDecodedBytes", c.MaxDecodedBytes}, {"MaxDecodeRatio", int64(c.MaxDecodeRatio)},
		{"MinBodyRate", c.MinBodyRate}, {"BodyGrace", int64(c.BodyGrace)},
		{"MaxURIBytes", int64(c.MaxURIBytes)}, {"MaxHeaderBytes", int64(c.MaxHeaderBytes)},
		{"MaxHeaderFields", int64(c.MaxHeaderFields)}, {"MaxInFlight", int64(c.MaxInFlight)},
		{"MaxQueue", int64(c.MaxQueue)}, {"MaxWait", int64(c.MaxWait)}, {"RetryAfter", int64(c.RetryAfter)},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", f.name))
		}
	}
	return errs
}

// joined is errors.Join on one line, nil for none.
func joined(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	text := errs[0].Error()
	for _, err := range errs[1:] {
		text += "; " + err.Error()
	}
	return errors.New(text)
}
