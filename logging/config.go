package logging

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/clientaddr"
)

// Schema names the attributes of a log record. The names outcome, status_intended,
// abandoned, handler.stack, request_id, request_id_upstream, problem_id, trace_id,
// span_id, sample_rate, ttfb, remarks and dropped_attributes are the same in all
// schemas, except for ids that a schema has its own names for. To rename what the
// slog handler adds (time, level, msg), use its ReplaceAttr.
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

// Config configures [New]. The zero value is valid; the zero value of a field means
// its documented default.
type Config struct {
	// Logger receives the log records. Default: slog.Default() at the time of the
	// request.
	Logger *slog.Logger

	// Schema names the attributes. Default: OTel.
	Schema Schema

	// RequestIDHeader carries the request's id in the request and in the response.
	// An inbound id is used if it matches [A-Za-z0-9._:/+-]{1,128}. Any other
	// inbound id is logged as request_id_upstream, and a new UUIDv7 is used
	// instead, also in the request that the handler gets. If a handler adds a
	// second value to the response, as a proxy does, only the request's id is sent.
	// NewTransport passes the id on. Default: X-Request-Id.
	//
	// Trace ids come from the traceparent header, and span_id is the caller's span.
	// If OpenTelemetry starts a span for the request, adapters/bulwarkotel adds the
	// ids of that span. With another tracing library, use [Add] with trace_id and
	// span_id.
	RequestIDHeader string

	// TrustedProxies lists the networks whose X-Forwarded-For and Forwarded headers
	// are trusted. Entries are read from right to left. The zero netip.Prefix
	// stands for proxies that connect over a Unix socket. If a request has both
	// headers and they disagree, both are ignored, because a proxy that sets only
	// one of them passes on what the client wrote in the other. Do not list a proxy
	// that sets neither header: its clients could then choose the address that is
	// logged. Default: none, and the client's address is that of the connection.
	TrustedProxies []netip.Prefix

	// RequestHeaders, ResponseHeaders and QueryKeys list what may be logged. Default:
	// none.
	//
	// Headers that are not listed are left out. The response headers are those that
	// were sent, without the ones that net/http adds (Date, a detected
	// Content-Type).
	//
	// The values of query keys that are not listed are REDACTED, in url.query and
	// in every URL in any text of the log record: errors, panics, listed headers
	// such as Referer and Location, and what [Add] adds. User names, passwords and
	// fragments in URLs are REDACTED, too. If it is unclear where a URL ends, more
	// is redacted rather than less. Paths are logged as they are, so do not put
	// secrets into paths or error texts.
	//
	// A value has at most 1 KiB, and a log record has at most 16 KiB. Attributes
	// that do not fit are left out and counted in dropped_attributes. Control
	// characters, terminal sequences, invalid UTF-8 and marks that change the
	// direction of text are escaped (\n, \x1b, \u202e).
	RequestHeaders, ResponseHeaders, QueryKeys []string

	// Level returns the level of a log record. Default: the Level of errmap's
	// Problem if it is set; otherwise ERROR for a 5xx, an incomplete response and
	// an error that no rule matches, and INFO for everything else.
	Level func(Record) slog.Level

	// Sample returns the share of records like this one to keep, from 0 to 1, for
	// example 0 for health checks. The trace id, or without a trace the request id,
	// decides which records are kept. So all services with the same share keep the
	// same requests. (A client can choose these ids.) Records that are kept have
	// the share as sample_rate. A record is always kept if its outcome is not
	// OutcomeOK, its status is 500 or above, or its request took Slow or longer.
	// Default: all records are kept.
	Sample func(Record) float64

	// If a request takes Slow or longer, its record is kept, whatever Sample
	// returns. Default 0: 1 s.
	Slow time.Duration

	// CountUpgraded counts the bytes of connections that the client asked to switch
	// to another protocol (Upgrade, or the method CONNECT) and that the handler has
	// hijacked. The record is then written when both the handler and the connection
	// have ended. The handler gets a wrapper of the connection, so a type assertion
	// to *net.TCPConn fails. The wrapper has CloseWrite, CloseRead, SyscallConn,
	// File and NetConn if the connection has them. A connection that is neither
	// closed nor used any more is not logged. Default false: the handler gets the
	// server's own connection. The record is then written when the handler returns.
	// It has no byte counts, and status 101 if the client asked for an upgrade.
	CountUpgraded bool

	// KnownMethods lists the methods that appear by name in Record and, with Schema
	// OTel, in log records. Every other method is _OTHER. The list replaces the
	// default, so a WebDAV service lists all methods it has. Default: the methods
	// of RFC 9110, PATCH and QUERY.
	KnownMethods []string

	// GCPProject is the project in the name of the trace, for Schema GCP. Default:
	// none, and the trace is logged as trace_id.
	GCPProject string

	// OnStart is called for every request before its handler runs. Only these
	// fields of the Record are set: Method, Path, Start, Client, Proto, Scheme and
	// the ids. [Add] works with its context. OnRecord is called later for the same
	// request. Default nil: it is not called.
	OnStart func(context.Context, Record)

	// OnReturn is called for every request before New returns to the middleware
	// around it, on the same goroutine, also if the handler panics. It can still
	// set attributes on that middleware's span. cause is a *timeout.Error if the
	// deadline has ended the request, timeout.ErrClientGone if the client has left,
	// and otherwise nil. If cause is not nil, route is Record.Route. If the deadline
	// passed on HTTP/2 and the handler is still running, OnRecord is called after
	// OnReturn. Otherwise OnRecord may be called earlier. Default nil: it is not
	// called.
	OnReturn func(ctx context.Context, route string, cause error)

	// OnRecord is called for every request when the request has ended, also if its
	// record is not kept. It is for metrics. The end of the request waits for
	// OnRecord to return. Default nil: it is not called.
	OnRecord func(context.Context, Record)
}

func (c Config) validate() error {
	var errs []string
	if c.Schema > GCP {
		errs = append(errs, "Schema must be OTel, ECS or GCP")
	}
	if c.Slow < 0 {
		errs = append(errs, "Slow must not be negative")
	}
	if c.RequestIDHeader != "" && !token(c.RequestIDHeader) {
		errs = append(errs, fmt.Sprintf("RequestIDHeader %q is not a valid header name", c.RequestIDHeader))
	}
	if err := clientaddr.Validate(c.TrustedProxies); err != nil {
		errs = append(errs, "TrustedProxies: "+strings.ReplaceAll(err.Error(), "\n", ", "))
	}
	for _, f := range []struct {
		name    string
		headers []string
	}{{"RequestHeaders", c.RequestHeaders}, {"ResponseHeaders", c.ResponseHeaders}} {
		for _, h := range f.headers {
			if !token(h) {
				errs = append(errs, fmt.Sprintf("%s: %q is not a valid header name", f.name, h))
			}
		}
	}
	for _, m := range c.KnownMethods {
		if !token(m) {
			errs = append(errs, fmt.Sprintf("KnownMethods: %q is not a method", m))
		}
	}
	if strings.ContainsAny(c.GCPProject, "/ \t\r\n") {
		errs = append(errs, fmt.Sprintf("GCPProject %q is not a valid project id", c.GCPProject))
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

// withDefaults returns c with defaults. The slices are copied.
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
	s.clients = clientaddr.New(c.TrustedProxies)
	s.query = newAllowed(c.QueryKeys)
	s.KnownMethods = slices.Clone(c.KnownMethods)
	s.hooks = c.Level != nil || c.Sample != nil || c.OnStart != nil || c.OnRecord != nil
	if c.GCPProject != "" && c.Schema == GCP {
		s.tracePrefix = "projects/" + c.GCPProject + "/traces/"
	}
	return s
}

// settings is what requests use of a Config.
type settings struct {
	Config
	names           *names
	requestHeaders  []headerField
	responseHeaders []headerField
	clients         clientaddr.Reader
	query           allowed
	tracePrefix     string
	hooks           bool // at least one hook that gets a Record is set
	prepared        atomic.Pointer[preparedHandlers]
}

// logger returns the logger for a request that begins now.
func (s *settings) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}
