package logging

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Schema names the attributes of a line. Own names, the same in all of them, are
// outcome, status_intended, abandoned, request_id, request_id_upstream,
// problem_id, trace_id, span_id, sample_rate, ttfb, remarks and
// dropped_attributes. What the slog handler writes itself (time, level, msg) is a
// matter of its ReplaceAttr.
type Schema uint8

// The schemas.
const (
	// OTel is OpenTelemetry's semantic conventions for HTTP.
	OTel Schema = iota
	// ECS is the Elastic Common Schema.
	ECS
	// GCP is Google Cloud Logging's httpRequest.
	GCP
)

// Config configures [New]. The zero value is valid, and of every field the
// documented default.
type Config struct {
	// Logger gets the lines. Default: slog.Default() at the time of the request.
	Logger *slog.Logger

	// Schema names the attributes. Default: OTel.
	Schema Schema

	// RequestIDHeader carries the request's id, inbound and in the response. An
	// inbound id counts if it matches [A-Za-z0-9._:/+-]{1,128}; any other is
	// replaced by a UUIDv7 and kept as request_id_upstream. It is echoed in the
	// response and passed on by NewTransport. Default: X-Request-Id.
	//
	// Trace ids come from the traceparent, with span_id the caller's span. With a
	// tracing library, tell the line of the span it made:
	//
	//	sc := trace.SpanContextFromContext(r.Context())
	//	logging.Add(r.Context(),
	//		slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	RequestIDHeader string

	// TrustedProxies are the networks whose word about the client's address, in
	// X-Forwarded-For and Forwarded, read from the right, is taken. A proxy that
	// knows one of the two passes on what a client wrote in the other, so where
	// both are there and disagree, neither counts; and a proxy that sets neither
	// lets every client choose its address, so do not list one. Default:
	// nobody's, and the address is the connection's.
	TrustedProxies []netip.Prefix

	// RequestHeaders, ResponseHeaders and QueryKeys are what may be logged.
	// Headers that are not listed are left out, and those of the response are what
	// went over the wire, without what net/http adds to it by itself (Date, a
	// Content-Type that it guesses); of query keys that are not
	// listed the value is REDACTED, in url.query and in every URL inside an
	// error's text; passwords in URLs always are. Paths are logged as they are:
	// keep secrets out of them. What errors and panics say is the application's
	// own text. Default: none.
	//
	// Values are at most 1 KiB and a line 16 KiB; what does not fit is counted as
	// dropped_attributes. Control characters, terminal sequences, invalid UTF-8
	// and marks that turn the direction of text appear as escapes (\n, \x1b,
	// \u202e).
	RequestHeaders, ResponseHeaders, QueryKeys []string

	// Level chooses the level of a line. Default: what errmap's Problem says, else
	// ERROR for 5xx, for responses that broke off and for errors that no rule
	// knew; else INFO.
	Level func(Record) slog.Level

	// Sample is the share of such records to keep, 0 to 1. The decision follows
	// the trace id, else the request id, so that all services with the same share
	// keep the same requests, and sample_rate stands in the lines kept. Any
	// outcome but ok, 5xx, and requests slower than Slow are always kept.
	// Default: everything.
	Sample func(Record) float64

	// Slow is the duration from which on a request is never sampled away.
	// Default: 1 s.
	Slow time.Duration

	// GCPProject is the project of the trace's name in Schema GCP. Default: none,
	// and the trace only under trace_id.
	GCPProject string

	// OnRecord is called for every request, sampled or not, at the moment it
	// ended: for metrics. It is called from the goroutine that ended the request
	// and holds up its end. Default: nothing.
	OnRecord func(context.Context, Record)
}

func (c Config) validate() error {
	var errs []string
	if c.Schema > GCP {
		errs = append(errs, "Schema is none of OTel, ECS, GCP")
	}
	if c.Slow < 0 {
		errs = append(errs, "Slow must not be negative")
	}
	if c.RequestIDHeader != "" && !token(c.RequestIDHeader) {
		errs = append(errs, fmt.Sprintf("RequestIDHeader %q is no header name", c.RequestIDHeader))
	}
	for i, p := range c.TrustedProxies {
		if !p.IsValid() {
			errs = append(errs, fmt.Sprintf("TrustedProxies[%d] is not valid", i))
		}
	}
	for _, f := range []struct {
		name    string
		headers []string
	}{{"RequestHeaders", c.RequestHeaders}, {"ResponseHeaders", c.ResponseHeaders}} {
		for _, h := range f.headers {
			if !token(h) {
				errs = append(errs, fmt.Sprintf("%s: %q is no header name", f.name, h))
			}
		}
	}
	if strings.ContainsAny(c.GCPProject, "/ \t\r\n") {
		errs = append(errs, fmt.Sprintf("GCPProject %q is no project id", c.GCPProject))
	}
	if len(errs) == 0 {
		return nil
	}
	return errors.New(strings.Join(errs, "; "))
}

// token reports whether s is a token of RFC 9110 section 5.6.2.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

const (
	defaultIDHeader = "X-Request-Id"
	defaultSlow     = time.Second
)

// withDefaults works on a copy and shares nothing with the caller's lists.
func (c Config) withDefaults() *settings {
	s := &settings{Config: c}
	s.RequestIDHeader = http.CanonicalHeaderKey(c.RequestIDHeader)
	if c.RequestIDHeader == "" {
		s.RequestIDHeader = defaultIDHeader
	}
	if c.Slow == 0 {
		s.Slow = defaultSlow
	}
	s.names = &schemas[c.Schema]
	s.requestHeaders = headerFields(s.names.requestHeader, c.RequestHeaders)
	s.responseHeaders = headerFields(s.names.responseHeader, c.ResponseHeaders)
	s.trusted = masked(c.TrustedProxies)
	s.query = newAllowed(c.QueryKeys)
	if c.GCPProject != "" && c.Schema == GCP {
		s.tracePrefix = "projects/" + c.GCPProject + "/traces/"
	}
	return s
}

// settings is a Config as the requests use it.
type settings struct {
	Config
	names           *names
	requestHeaders  []headerField
	responseHeaders []headerField
	trusted         []netip.Prefix
	query           allowed
	tracePrefix     string
}

// logger is where lines go now.
func (s *settings) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}
