package limits

import (
	"fmt"
	"net/http"
	"time"
)

// Reason is which limit a request went over.
type Reason string

// The reasons. A body that is too large, on the wire or decoded, has none of
// its own: its error is the standard library's *http.MaxBytesError.
const (
	ReasonRatio    Reason = "ratio"     // 413: the body grew too much while it was decoded
	ReasonRate     Reason = "rate"      // 408: the body came too slowly
	ReasonCoding   Reason = "coding"    // 415: an unknown Content-Encoding; 400: a body that is not what it says
	ReasonURI      Reason = "uri"       // 414: the request's target is too long
	ReasonHeader   Reason = "header"    // 431: too many header fields, or too many bytes of them
	ReasonInFlight Reason = "in_flight" // 503: too many requests at once
	ReasonResponse Reason = "response"  // NewTransport: the response is too large; 502 where a handler passes the error on
)

// Error is a request that went over a limit, or with NewTransport a response.
// It is immutable.
type Error struct {
	Reason Reason
	Limit  int64  // what was agreed, in the unit of the limit: bytes, fields, requests, bytes per second, or decoded bytes per encoded one
	Got    int64  // what came, as far as it was looked at; -1 where nothing was counted
	Host   string // of the response; "" for requests

	what       string // the limit in words
	status     int
	retryAfter time.Duration
	cause      error
}

// Error says which limit, what it is, and how much came.
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

// Unwrap is what the decoder said about a body that it could not decode, else
// nil.
func (e *Error) Unwrap() error { return e.cause }

// StatusCode is the status that tells the client, see [Reason].
func (e *Error) StatusCode() int {
	if e.status == 0 {
		return http.StatusInternalServerError // made by hand
	}
	return e.status
}

// RetryAfter is when the client may try again, already jittered; 0 where it
// makes no difference.
func (e *Error) RetryAfter() time.Duration { return e.retryAfter }
