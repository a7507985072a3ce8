package logging

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// route returns a pattern of http.ServeMux without its method and host. The pattern
// of another router is returned unchanged; it may contain spaces, and need not
// begin with a slash.
func route(pattern, host string) string {
	if method, path, ok := strings.Cut(pattern, " "); ok && token(method) {
		pattern = strings.TrimLeft(path, " \t")
	}
	if i := strings.IndexByte(pattern, '/'); i > 0 && pattern[:i] == withoutPort(host) {
		pattern = pattern[i:]
	}
	return clean(pattern)
}

// withoutPort returns a Host header in the form that http.ServeMux compares with
// patterns.
func withoutPort(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// attrs appends all attributes but the common ones. Those that most records have
// come first.
func (l *requestLog) attrs(attrs []slog.Attr, m *budget, e *exchange.Ending, rec *Record, tr trace) []slog.Attr {
	if l.Schema != GCP {
		attrs = l.flatAttrs(attrs, m, rec)
	}
	attrs = l.ids(attrs, l.idHeader.Value, tr)
	if rec.StatusIntended != 0 {
		attrs = append(attrs, slog.Int("status_intended", rec.StatusIntended))
	}
	if rec.Abandoned {
		attrs = append(attrs, slog.Bool("abandoned", true))
	}
	attrs = l.identity(attrs, m, e)
	attrs = l.timing(attrs, rec)
	attrs = m.failure(attrs, l, e, rec)
	if l.more != nil {
		for _, h := range l.more.headers {
			attrs = m.add(attrs, h)
		}
	}
	for _, h := range l.sentHeaders(rec) {
		attrs = m.add(attrs, h)
	}
	return attrs
}

// committed records the listed headers of the response when they are sent.
func (l *requestLog) committed(h http.Header) {
	l.sent = l.pick(nil, l.responseHeaders, h, nil)
}

// sentHeaders returns the listed headers that were sent.
func (l *requestLog) sentHeaders(rec *Record) []slog.Attr {
	switch {
	case len(l.responseHeaders) == 0 || rec.Status == 0 || rec.Status == exchange.StatusClientGone && !rec.headSent:
		return nil
	case l.sent != nil:
		return l.sent
	}
	return l.pick(nil, l.responseHeaders, l.x.Response().ImplicitHeader(), nil)
}

// flatAttrs appends what nearly every record has, for schemas without groups.
func (l *requestLog) flatAttrs(attrs []slog.Attr, m *budget, rec *Record) []slog.Attr {
	n := l.names
	if rec.BytesIn != 0 { // a size of 0 is one of the common attributes
		attrs = append(attrs, slog.Int64(n.bytesIn, rec.BytesIn))
	}
	attrs = append(attrs, slog.Int64(n.bytesOut, rec.BytesOut), l.durationAttr(rec.Duration))
	if l.plainPath {
		attrs = m.sized(attrs, n.path, l.path, len(l.path))
	} else {
		attrs = m.string(attrs, n.path, l.path)
	}
	if l.client != "" {
		attrs = m.address(attrs, n.client, n.clientIP, l.client)
	}
	if l.agent != "" {
		attrs = m.string(attrs, n.agent, l.settings.query.scrub(l.agent))
	}
	if l.query != "" {
		attrs = m.string(attrs, n.query, l.settings.query.redact(l.query))
	}
	return attrs
}

// address appends an address. If address is an IP address and the schema has a key
// for IP addresses, it is also appended under that key.
func (m *budget) address(attrs []slog.Attr, key, ipKey, address string) []slog.Attr {
	attrs = m.string(attrs, key, address)
	if ipKey != "" {
		if ip, err := netip.ParseAddr(address); err == nil {
			attrs = m.string(attrs, ipKey, ip.WithZone("").String())
		}
	}
	return attrs
}

// method returns the method. OpenTelemetry requires _OTHER for unknown methods. The
// other schemas have the method that was sent.
func (l *requestLog) method(rec *Record) string {
	if l.Schema == OTel {
		return rec.Method
	}
	return clean(l.original.Method)
}

// durationAttr returns the duration in the schema's unit: ECS uses nanoseconds.
func (l *requestLog) durationAttr(d time.Duration) slog.Attr {
	if l.Schema == ECS {
		return slog.Int64(l.names.duration, int64(d))
	}
	return slog.Float64(l.names.duration, d.Seconds())
}

// ids appends the request id, the trace id and the span id.
func (s *settings) ids(attrs []slog.Attr, id string, tr trace) []slog.Attr {
	attrs = append(attrs, slog.String(s.names.id, id))
	if tr.id == "" {
		return attrs
	}
	trace, span := s.names.trace, s.names.span
	if s.Schema == GCP {
		if s.tracePrefix == "" {
			trace, span = "trace_id", "span_id"
		} else {
			attrs = append(attrs, slog.Bool("logging.googleapis.com/trace_sampled", tr.sampled))
		}
	}
	attrs = append(attrs, slog.String(trace, s.tracePrefix+tr.id))
	if tr.span != "" {
		attrs = append(attrs, slog.String(span, tr.span))
	}
	return attrs
}

// identity appends the ids, addresses and methods that most records do not have.
func (l *requestLog) identity(attrs []slog.Attr, m *budget, e *exchange.Ending) []slog.Attr {
	if e.ProblemID != "" && e.ProblemID != l.idHeader.Value {
		attrs = m.string(attrs, "problem_id", e.ProblemID)
	}
	if more := l.more; more != nil {
		if more.upstream != "" {
			attrs = m.string(attrs, "request_id_upstream", l.settings.query.scrub(more.upstream))
		}
		if more.peer != "" {
			attrs = m.address(attrs, l.names.peer, l.names.peerIP, more.peer)
		}
	}
	if l.Schema == OTel && !l.knows(l.original.Method) {
		attrs = m.string(attrs, l.names.methodOriginal, l.original.Method)
	}
	return attrs
}

// timing appends ttfb if the whole response took at least a millisecond longer than
// that.
func (l *requestLog) timing(attrs []slog.Attr, rec *Record) []slog.Attr {
	if l.Schema == ECS {
		attrs = append(attrs, slog.String("event.outcome", eventOutcome(rec)))
	}
	if rec.headSent && rec.TTFB > 0 && rec.Duration-rec.TTFB >= time.Millisecond {
		attrs = append(attrs, slog.Float64("ttfb", rec.TTFB.Seconds()))
	}
	return attrs
}

// eventOutcome returns ECS's event.outcome: success, failure, or unknown if the
// client left.
func eventOutcome(rec *Record) string {
	switch rec.Outcome {
	case OutcomeOK, OutcomeUpgraded:
		return "success"
	case OutcomeClientGone:
		return "unknown"
	}
	return "failure"
}

// lateAttrs returns the attributes of an "http handler ended late" record.
func (l *requestLog) lateAttrs(m *budget, outcome Outcome, d time.Duration, tr trace) []slog.Attr {
	attrs := m.string(nil, l.names.path, l.path)
	attrs = append(attrs, l.durationAttr(d), slog.String("outcome", string(outcome)))
	return l.ids(attrs, l.idHeader.Value, tr)
}
