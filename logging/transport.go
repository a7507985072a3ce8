package logging

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/internal/roundtrip"
)

// TransportConfig configures [NewTransport]. The zero value is valid; the zero
// value of a field means its documented default.
type TransportConfig struct {
	// Base makes the requests. Default: http.DefaultTransport at the time
	// NewTransport is called.
	Base http.RoundTripper

	// Logger receives the log records. Default: slog.Default() at the time of the
	// request.
	Logger *slog.Logger

	// Schema names the attributes. Default: OTel.
	Schema Schema

	// RequestIDHeader is the header for the id of the request that the call is made
	// for; see PassIDs. Default: X-Request-Id.
	RequestIDHeader string

	// PassIDs reports whether a call carries the ids of the request that it is made
	// for: the request id under RequestIDHeader, the traceparent, and at most 512
	// bytes of the tracestate. Headers that the call already has are kept. Default:
	// only calls to internal hosts carry ids. Internal hosts are loopback and
	// private addresses, names without a dot, and names under .internal, .local,
	// .localhost, .home.arpa, .test, .svc and .cluster.local. Set PassIDs if your
	// own hosts have public names.
	PassIDs func(*http.Request) bool

	// KnownMethods lists the methods that appear by name; see Config. Default: the
	// methods of RFC 9110, PATCH and QUERY.
	KnownMethods []string

	// QueryKeys lists the query keys whose values may be logged; other values are
	// REDACTED. Default: none.
	QueryKeys []string

	// Level returns the level of a log record. Default: ERROR for calls that
	// failed and for 5xx, WARN for a body that was never closed, else INFO.
	Level func(Record) slog.Level

	// OnStart is called for every call before it is made. Only these fields of the
	// Record are set: Method, Path, Start, Scheme, Server, Port and the ids.
	// OnRecord is called later for the same call. Default nil: it is not called.
	OnStart func(context.Context, Record)

	// OnRecord is called for every call when the call has ended. Default nil: it is
	// not called.
	OnRecord func(context.Context, Record)
}

// NewTransport returns a RoundTripper that writes one log record for each call.
// Each retry and each redirect is a separate call. NewTransport panics if cfg is
// invalid.
//
// A call ends with an error, at the end of the response's body, or when the body is
// closed. A decoder may stop before the end of the body, so Close waits up to 50 ms
// for the end, as net/http does before it reuses a connection. If the body is
// closed before its end, the outcome is OutcomeAborted. If the body is never
// closed, the call ends with the request's context or, if Base is an http.Transport
// or another NewTransport around one, when the body is garbage collected.
//
// If net/http sends a request again on another connection, the bytes of the
// request's body are counted once.
//
// See the package comment for the order of the transports.
func NewTransport(cfg TransportConfig) http.RoundTripper {
	var wrong []string
	base, err := roundtrip.Base(cfg.Base)
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	c := Config{
		Logger: cfg.Logger, Schema: cfg.Schema, RequestIDHeader: cfg.RequestIDHeader,
		KnownMethods: cfg.KnownMethods, QueryKeys: cfg.QueryKeys, Level: cfg.Level, OnStart: cfg.OnStart, OnRecord: cfg.OnRecord,
	}
	if err := c.validate(); err != nil {
		wrong = append(wrong, err.Error())
	}
	if wrong != nil {
		panic("logging: " + strings.Join(wrong, "; "))
	}
	if cfg.PassIDs == nil {
		cfg.PassIDs = isInternal
	}
	t := &transport{settings: c.withDefaults(), passIDs: cfg.PassIDs, native: roundtrip.Native(base)}
	return roundtrip.New(base, t.begin)
}

type transport struct {
	*settings
	passIDs func(*http.Request) bool
	native  bool // Base is an http.Transport, or one of our transports around one
}

// begin implements roundtrip.Begin.
func (t *transport) begin(req *http.Request) (*http.Request, roundtrip.Call, error) {
	c := &call{settings: t.settings, ctx: req.Context(), log: t.logger(), start: time.Now()}
	c.describe(req)
	if t.OnStart != nil {
		t.contain("OnStart", func() { t.OnStart(context.WithoutCancel(c.ctx), c.startRecord()) })
	}
	return t.outgoing(c, req), c, nil
}

// outgoing returns the request to send: its body is counted, and it carries the
// ids.
func (t *transport) outgoing(c *call, req *http.Request) *http.Request {
	ctx := c.ctx
	whole := t.native && sentWhole(req)
	if whole {
		ctx = c.watchSending(ctx, req.ContentLength)
	}
	out := roundtrip.Copy(ctx, req)
	if l := c.within; l != nil && out.Header != nil && t.wantsIDs(req) {
		l.setIDHeaders(out.Header, t.RequestIDHeader)
	}
	if !whole {
		c.countBody(out)
	}
	return out
}

// describe copies what the record says about the request.
func (c *call) describe(req *http.Request) {
	c.within = fromContext(c.ctx)
	c.canceled = req.Cancel //nolint:staticcheck // http.Client.Timeout sets it for every RoundTripper that is not an http.Transport
	c.method = req.Method
	if c.method == "" {
		c.method = http.MethodGet
	}
	if req.URL == nil { // net/http refuses it
		return
	}
	c.path = req.URL.Path
	c.url = c.query.scrub(req.URL.Redacted())
	c.scheme, c.host = req.URL.Scheme, req.URL.Hostname()
	c.port, _ = strconv.Atoi(req.URL.Port())
	switch {
	case c.port != 0:
	case req.URL.Scheme == "https":
		c.port = 443
	default:
		c.port = 80
	}
}
