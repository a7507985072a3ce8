package limits

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Config configures [New]. At least one limit must be set. A limit that is 0 is not
// enforced, and the zero value of every other field means the documented default.
type Config struct {
	// MaxBodyBytes is the maximum size of a body, in bytes on the wire. Default 0: no
	// maximum.
	MaxBodyBytes int64

	// BodyCeiling is the largest MaxBodyBytes and MaxDecodedBytes that Override can
	// set. A declared length above it is refused before the handler runs. A
	// declared length between MaxBodyBytes and BodyCeiling is refused at the first
	// Read, when the route's limit is known. Default 0: Override can only lower the
	// limits.
	BodyCeiling int64

	// MaxDecodedBytes is the maximum size of a decoded body, in bytes. If it is not
	// 0, bodies with a Content-Encoding (gzip, deflate) are decoded for the
	// handler. Any other coding is refused with 415. Default 0: bodies are not
	// decoded.
	MaxDecodedBytes int64

	// MaxDecodeRatio is the maximum number of decoded bytes for each encoded byte. It
	// is checked once 1 MiB has been decoded. Default 0: 100.
	MaxDecodeRatio int

	// MinBodyRate is the minimum upload rate in bytes per second. Only time that the
	// handler spends blocked in Read counts. Default 0: no minimum.
	MinBodyRate int64

	// BodyGrace is how long the handler may be blocked in Read before MinBodyRate
	// is enforced, and how far the client may later fall behind MinBodyRate.
	// Default 0: 5 s.
	BodyGrace time.Duration

	// MaxURIBytes is the maximum length of the request target, in bytes. Default 0:
	// what the server accepts.
	MaxURIBytes int

	// MaxHeaderBytes is the maximum size of the header, in bytes: all names and
	// values, plus 4 for each field. Host counts (:authority in HTTP/2), and so does
	// the name of each trailer that the client announces. Default 0: what the server
	// accepts.
	MaxHeaderBytes int

	// MaxHeaderFields is the maximum number of header fields. Each occurrence of a
	// repeated field counts, and so do Host and each announced trailer. Default 0:
	// what the server accepts.
	MaxHeaderFields int

	// MaxInFlight is the maximum number of requests that are served at once. Default
	// 0: no maximum. See "Choosing MaxInFlight" in the package comment.
	//
	// A request holds a permit until its handler has ended, by returning, by a
	// panic or by runtime.Goexit. An abandoned handler keeps its permit, because it
	// still uses resources, and a stream keeps its permit while it lasts. If N
	// handlers are stuck forever, N permits are lost.
	//
	// A hijacked connection releases its permit at once: it may live for days, and a
	// few hundred idle connections would otherwise block all other requests. The
	// application must bound the number of hijacked connections.
	MaxInFlight int

	// MaxQueue is the maximum number of requests that wait for a permit, first in,
	// first out. A request leaves the queue when its client disconnects. (On HTTP/1,
	// net/http notices a disconnect only after the request body has been read; a
	// request with a body therefore stays for its whole wait.) Default 0: requests do
	// not wait.
	MaxQueue int

	// MaxWait is how long a request may wait for a permit. It waits less if its
	// deadline is nearer. Default 0: 1 s.
	MaxWait time.Duration

	// QueueTarget is how long a request may wait, instead of MaxWait, while the
	// queue has not been empty for MaxWait. Such a standing queue means that
	// requests arrive faster than they can be served. Longer waits would only delay
	// all of them. QueueTarget must not exceed MaxWait; if they are equal,
	// QueueTarget has no effect. See "Overload" in the package comment. Default 0:
	// MaxWait / 10.
	QueueTarget time.Duration

	// Critical reports whether a request is critical: a health check, an operator's
	// page, the callback of a payment provider. A tenth of MaxInFlight, at least 1,
	// is reserved for critical requests, which can also take any other permit.
	// Critical requests have a queue of their own for MaxQueue requests, so other
	// requests cannot fill it. Critical is called once per request, before the
	// handler. Its result must not depend on anything that every client can send.
	// Critical needs a MaxInFlight of at least 2. Default nil: no request is
	// critical.
	Critical func(*http.Request) bool

	// RetryAfter is the minimum time after which a client that got 503 should
	// retry. If the queue needs longer to drain, at the rate at which requests
	// recently got permits, that time is used instead, up to 10 times RetryAfter.
	// The value that is sent is random, between this time and twice this time, so
	// that refused clients do not all retry at once. Default 0: 1 s.
	RetryAfter time.Duration

	// Shadow only reports what would be refused, also by an Override: each case
	// adds a remark to the request's log record. A body that cannot be decoded is
	// passed on as the client sent it. To know this, New reads up to 64 KiB of an
	// encoded body before the handler runs. Default false: the limits are enforced.
	Shadow bool

	// ErrorHandler writes the response to a refused request. err is an *Error or an
	// *http.MaxBytesError. The headers Connection, Accept-Encoding and Retry-After
	// are already set if they apply. If ErrorHandler writes nothing, the default
	// response is sent. (*errmap.Mapper).Write can be used here. Default nil: the
	// status and a short plain-text body.
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
	if c.QueueTarget == 0 {
		c.QueueTarget = max(1, c.MaxWait/10)
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
		{c.QueueTarget > 0 && c.MaxQueue <= 0, "QueueTarget needs MaxQueue"},
		{c.MaxWait >= 0 && c.QueueTarget > c.withDefaults().MaxWait, "QueueTarget must not exceed MaxWait"},
		{c.Critical != nil && c.MaxInFlight >= 0 && c.MaxInFlight < 2, "Critical needs a MaxInFlight of at least 2"},
		{c.RetryAfter > 0 && c.MaxInFlight == 0, "RetryAfter needs MaxInFlight"},
	} {
		if f.wrong {
			errs = append(errs, errors.New(f.text))
		}
	}
	if len(errs) == 0 && c.limitsNothing() {
		errs = append(errs, errors.New("Config limits nothing: set MaxBodyBytes, MaxDecodedBytes, MinBodyRate, "+
			"MaxURIBytes, MaxHeaderBytes, MaxHeaderFields or MaxInFlight"))
	}
	return joined(errs)
}

func (c Config) limitsNothing() bool {
	return c.MaxBodyBytes == 0 && c.MaxDecodedBytes == 0 && c.MinBodyRate == 0 &&
		c.MaxURIBytes == 0 && c.MaxHeaderBytes == 0 && c.MaxHeaderFields == 0 && c.MaxInFlight == 0
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
		{"MaxQueue", int64(c.MaxQueue)}, {"MaxWait", int64(c.MaxWait)},
		{"QueueTarget", int64(c.QueueTarget)}, {"RetryAfter", int64(c.RetryAfter)},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", f.name))
		}
	}
	return errs
}

// joined is errors.Join on one line. It returns nil if errs is empty.
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
