package logging

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"time"
)

// TransportConfig configures [NewTransport]. The zero value is valid, and of
// every field the documented default.
type TransportConfig struct {
	// Base makes the requests. Default: http.DefaultTransport at the time of the
	// request.
	Base http.RoundTripper

	// Logger gets the lines. Default: slog.Default() at the time of the request.
	Logger *slog.Logger

	// Schema names the attributes. Default: OTel.
	Schema Schema

	// RequestIDHeader passes on the id of the request that the call is made for.
	// Default: X-Request-Id.
	RequestIDHeader string

	// QueryKeys may be logged; of all others the value is REDACTED. Default: none.
	QueryKeys []string

	// Level chooses the level of a line. Default: ERROR for calls that failed and
	// for 5xx, WARN for a body that nobody closed, else INFO.
	Level func(Record) slog.Level

	// OnRecord is called for every call when it has ended. Default: nothing.
	OnRecord func(context.Context, Record)
}

// NewTransport returns a RoundTripper that writes a line per call, a retry or a
// redirect being one of its own. A call ends with the end of the response's
// body, with its Close, or with an error. Where the caller forgets to close, it
// ends with the request's context or when the body is garbage.
//
// The request_id of the request that the call is made for, and its traceparent
// and tracestate, are passed on where the call has none of its own: wrap other
// hosts' transports with that in mind. It panics if cfg is wrong.
func NewTransport(cfg TransportConfig) http.RoundTripper {
	c := Config{
		Logger: cfg.Logger, Schema: cfg.Schema, RequestIDHeader: cfg.RequestIDHeader,
		QueryKeys: cfg.QueryKeys, Level: cfg.Level, OnRecord: cfg.OnRecord,
	}
	if err := c.validate(); err != nil {
		panic("logging: " + err.Error())
	}
	return &transport{c.withDefaults(), cfg.Base}
}

type transport struct {
	*settings
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.base
	if base == nil {
		base = http.DefaultTransport
	}
	c := &call{settings: t.settings, ctx: req.Context(), log: t.logger(), start: time.Now()}
	c.describe(req)
	res, err := base.RoundTrip(c.outgoing(req))
	c.ttfb = time.Since(c.start)
	if err != nil {
		c.end(err, false)
		return res, err
	}
	c.status, c.length = res.StatusCode, res.ContentLength
	c.proto = protocol(res.ProtoMajor, res.ProtoMinor)
	return c.follow(res), nil
}

// follow lets the call end with the body. The response is copied: from Go 1.27
// on the transport's own goroutine holds on to the one it made, and through it
// would to our body, which could never become garbage.
func (c *call) follow(res *http.Response) *http.Response {
	if res.StatusCode == http.StatusSwitchingProtocols || res.Body == nil || res.Body == http.NoBody {
		c.end(nil, true)
		return res
	}
	b := &callBody{c: c, src: res.Body}
	runtime.AddCleanup(b, (*call).forgotten, c)
	c.onContext(context.AfterFunc(c.ctx, c.contextEnded))
	out := *res
	out.Body = b
	return &out
}

// outgoing is the request with what is passed on, and a body that is counted. A
// RoundTripper must not change the one it was given.
func (c *call) outgoing(req *http.Request) *http.Request {
	out := req.WithContext(c.ctx)
	out.Header = req.Header.Clone()
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	if l := c.within; l != nil {
		pass(out.Header, c.RequestIDHeader, l.id[0])
		if out.Header.Get("Traceparent") == "" && l.rare.parent != "" {
			out.Header.Set("Traceparent", l.rare.parent)
			if len(l.rare.state) > 0 {
				out.Header["Tracestate"] = l.rare.state
			}
		}
	}
	if req.Body != nil && req.Body != http.NoBody {
		out.Body = &countedBody{req.Body, c}
	}
	return out
}

func pass(h http.Header, key, value string) {
	if value != "" && len(h[key]) == 0 {
		h[key] = []string{value}
	}
}

// describe takes from the request what the line will say of it.
func (c *call) describe(req *http.Request) {
	c.within = find(c.ctx)
	c.method, c.path = req.Method, req.URL.Path
	if c.method == "" {
		c.method = http.MethodGet
	}
	c.url = c.query.scrub(req.URL.Redacted())
	c.host = req.URL.Hostname()
	c.port, _ = strconv.Atoi(req.URL.Port())
	switch {
	case c.port != 0:
	case req.URL.Scheme == "https":
		c.port = 443
	default:
		c.port = 80
	}
}
