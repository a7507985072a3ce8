package limits

import (
	"fmt"
	"net/http"
	"time"
)

// Reason says which limit was exceeded.
type Reason string

// The reasons, and the status of each. A body that is too large, on the wire or
// decoded, has no reason: its error is an *http.MaxBytesError, as in net/http.
const (
	ReasonRatio    Reason = "ratio"     // 413: the body exceeds MaxDecodeRatio
	ReasonRate     Reason = "rate"      // 408: the client sends the body too slowly
	ReasonCoding   Reason = "coding"    // 415: the Content-Encoding is not supported; 400: the body cannot be decoded
	ReasonURI      Reason = "uri"       // 414: the request target is too long
	ReasonHeader   Reason = "header"    // 431: the header has too many fields or bytes
	ReasonInFlight Reason = "in_flight" // 503: too many requests are in flight
	ReasonResponse Reason = "response"  // 502: NewTransport got a response that is too large
)

// Error reports that a request or, with NewTransport, a response exceeded a limit.
// It is immutable.
type Error struct {
	Reason Reason // which limit
	Limit  int64  // the limit, in its unit: bytes, fields, requests, bytes per second, or decoded bytes per encoded byte
	Got    int64  // the value that exceeded the limit, as far as it was counted; -1 if it was not counted
	Host   string // the server that sent the response; "" for requests

	what       string // describes what was exceeded
	status     int
	retryAfter time.Duration
	cause      error
}

// Error returns a text for logs with what was exceeded, the value and the limit.
func (e *Error) Error() string {
	text := "limits: " + e.what
	if e.Host != "" {
		text += " from " + e.Host
	}
	if e.cause != nil {
		return text + ": " + e.cause.Error()
	}
	if e.Got < 0 {
		return text
	}
	return fmt.Sprintf("%s: %d, limit %d", text, e.Got, e.Limit)
}

// Unwrap returns the decoder's error if a body could not be decoded, otherwise nil.
func (e *Error) Unwrap() error { return e.cause }

// StatusCode returns the status of the response, see [Reason].
func (e *Error) StatusCode() int {
	if e.status == 0 {
		return http.StatusInternalServerError // not made by this package
	}
	return e.status
}

// RetryAfter returns the value of the Retry-After header, or 0 if the response does
// not have that header.
func (e *Error) RetryAfter() time.Duration { return e.retryAfter }
