package logging

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// record is what the hooks get, and what the line is made of.
func (l *line) record(x *exchange.Exchange, e *exchange.Ending, tr trace) Record {
	head, whole := x.Sent()
	r := Record{
		Method: l.asked.Method, Path: clean(l.path), Route: route(e.Route),
		Status: e.Status, StatusIntended: e.Intended,
		Outcome: classify(e, whole, l.asked.ProtoMajor >= 2), Cause: e.Cause, Remarks: e.Remarks, Panic: e.Panic, Abandoned: e.Abandoned,
		BytesIn: e.BytesIn, BytesOut: e.BytesOut,
		Start: x.Start(), TTFB: e.FirstByte, Duration: e.Duration,
		Client: l.client, Proto: protocol(l.asked.ProtoMajor, l.asked.ProtoMinor), RequestID: l.id[0], TraceID: tr.id, SpanID: tr.span,
	}
	if !knownMethod(r.Method) {
		r.Method = otherMethod
	}
	if (r.Outcome == OK || r.Outcome == Error) && x.Err() == context.DeadlineExceeded { //nolint:errorlint // contexts return it bare
		r.Outcome = Deadline // somebody's who does not say so: http.TimeoutHandler around us, or a cooperative one
	}
	if r.Outcome == ClientGone && !head && (e.WriteErr == nil || l.asked.ProtoMajor < 2) {
		r.unsent() // a flush that HTTP/2 failed may have got the head out before
	}
	r.early = head
	return r
}

// unsent corrects the status where the client was gone before anything left.
func (r *Record) unsent() {
	if r.StatusIntended == 0 && r.Status != statusClientGone {
		r.StatusIntended = r.Status
	}
	r.Status, r.TTFB = statusClientGone, 0
}

// route is a pattern of http.ServeMux without its method and host, and the
// path of a framework's router as it is.
func route(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		pattern = strings.TrimLeft(path, " \t")
	}
	if i := strings.IndexByte(pattern, '/'); i > 0 {
		pattern = pattern[i:]
	}
	return clean(pattern)
}

// attrs appends what the line says, the default line first.
func (l *line) attrs(attrs []slog.Attr, m *meter, e *exchange.Ending, rec *Record, tr trace) []slog.Attr {
	if l.Schema == GCP {
		attrs = l.httpRequest(attrs, m, rec)
	} else {
		attrs = l.flat(attrs, m, rec)
	}
	attrs = append(attrs, slog.String("outcome", string(rec.Outcome)))
	if rec.StatusIntended != 0 {
		attrs = append(attrs, slog.Int("status_intended", rec.StatusIntended))
	}
	if rec.Abandoned {
		attrs = append(attrs, slog.Bool("abandoned", true))
	}
	attrs = l.ids(attrs, l.id[0], tr)
	attrs = l.identity(attrs, m, e)
	attrs = l.timing(attrs, rec)
	attrs = m.failure(attrs, l, e, rec)
	for _, h := range l.rare.headers {
		attrs = m.add(attrs, h)
	}
	for _, h := range l.sentHeaders(rec) {
		attrs = m.add(attrs, h)
	}
	return attrs
}

// committed takes the headers that may be logged from those that go out.
func (l *line) committed(h http.Header) {
	l.sent = l.pick(nil, l.responseHeaders, h)
}

// sentHeaders are the headers that went over the wire.
func (l *line) sentHeaders(rec *Record) []slog.Attr {
	switch {
	case len(l.responseHeaders) == 0 || rec.Status == 0 || rec.Status == statusClientGone && !rec.early:
		return nil
	case l.sent != nil:
		return l.sent
	}
	return l.pick(nil, l.responseHeaders, l.x.ImplicitHeader())
}

// flat is the line of the schemas that know no groups.
func (l *line) flat(attrs []slog.Attr, m *meter, rec *Record) []slog.Attr {
	n := l.names
	attrs = m.text(attrs, n.method, l.method(rec))
	attrs = m.text(attrs, n.path, rec.Path)
	if rec.Route != "" {
		attrs = m.text(attrs, n.route, rec.Route)
	}
	if rec.Status != 0 {
		attrs = append(attrs, slog.Int(n.status, rec.Status))
	}
	attrs = append(attrs, slog.Int64(n.bytesIn, rec.BytesIn), slog.Int64(n.bytesOut, rec.BytesOut), l.took(rec.Duration))
	if l.client != "" {
		attrs = m.address(attrs, n.client, n.clientIP, l.client)
	}
	if l.agent != "" {
		attrs = m.string(attrs, n.agent, l.agent)
	}
	if rec.Proto != "" {
		attrs = append(attrs, slog.String(n.proto, rec.Proto))
	}
	if l.query != "" {
		attrs = m.string(attrs, n.query, l.settings.query.redact(l.query))
	}
	return attrs
}

// address appends an address, under the schema's key for those that are IPs as
// well, if it has one.
func (m *meter) address(attrs []slog.Attr, key, ipKey, address string) []slog.Attr {
	attrs = m.string(attrs, key, address)
	if ipKey != "" {
		if ip, err := netip.ParseAddr(address); err == nil {
			attrs = m.string(attrs, ipKey, ip.WithZone("").String())
		}
	}
	return attrs
}

// method is _OTHER for OpenTelemetry only; the other schemas take it as sent.
func (l *line) method(rec *Record) string {
	if l.Schema == OTel {
		return rec.Method
	}
	return clean(l.asked.Method)
}

// took is the duration as the schema has it: ECS counts nanoseconds.
func (l *line) took(d time.Duration) slog.Attr {
	if l.Schema == ECS {
		return slog.Int64(l.names.duration, int64(d))
	}
	return slog.Float64(l.names.duration, d.Seconds())
}

// ids appends what finds the request again, in the schema of s.
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

// identity appends what there is to say of who asked, beyond the default line.
func (l *line) identity(attrs []slog.Attr, m *meter, e *exchange.Ending) []slog.Attr {
	if l.rare.upstream != "" {
		attrs = m.string(attrs, "request_id_upstream", l.rare.upstream)
	}
	if e.ProblemID != "" && e.ProblemID != l.id[0] {
		attrs = m.string(attrs, "problem_id", e.ProblemID)
	}
	if l.rare.peer != "" {
		attrs = m.address(attrs, l.names.peer, l.names.peerIP, l.rare.peer)
	}
	if l.Schema == OTel && !knownMethod(l.asked.Method) {
		attrs = m.string(attrs, l.names.methodOriginal, l.asked.Method)
	}
	return attrs
}

// timing appends ttfb where the response took its time after it.
func (l *line) timing(attrs []slog.Attr, rec *Record) []slog.Attr {
	if l.Schema == ECS {
		attrs = append(attrs, slog.String("event.outcome", eventOutcome(rec)))
	}
	if rec.early && rec.TTFB > 0 && rec.Duration-rec.TTFB >= time.Millisecond {
		attrs = append(attrs, slog.Float64("ttfb", rec.TTFB.Seconds()))
	}
	return attrs
}

// eventOutcome is ECS's view of it: success, failure, or unknown where the
// client did not stay to see.
func eventOutcome(rec *Record) string {
	switch rec.Outcome {
	case OK, Upgraded:
		return "success"
	case ClientGone:
		return "unknown"
	}
	return "failure"
}

// late is what the note of a late end says.
func (l *line) late(m *meter, outcome Outcome, d time.Duration, tr trace) []slog.Attr {
	attrs := m.string(nil, l.names.path, l.path)
	attrs = append(attrs, l.took(d), slog.String("outcome", string(outcome)))
	return l.ids(attrs, l.id[0], tr)
}
