package logging

import (
	"log/slog"
	"strconv"
	"time"
)

// httpRequest appends Cloud Logging's httpRequest. It has no requestSize and
// responseSize, because these include headers and framing, which net/http does not
// count. The sizes of the bodies are attributes outside the group.
func (l *requestLog) httpRequest(attrs []slog.Attr, m *budget, rec *Record) []slog.Attr {
	n := l.names
	g := m.text(make([]slog.Attr, 0, 7), "requestMethod", l.method(rec))
	g = m.string(g, "requestUrl", l.url())
	if rec.Status != 0 {
		g = append(g, slog.Int("status", rec.Status))
	}
	if l.agent != "" {
		g = m.string(g, "userAgent", l.settings.query.scrub(l.agent))
	}
	if l.client != "" {
		g = m.string(g, "remoteIp", l.client)
	}
	g = append(g, slog.String("latency", latency(rec.Duration)), slog.String("protocol", "HTTP/"+rec.Proto))
	attrs = append(attrs, slog.Attr{Key: "httpRequest", Value: slog.GroupValue(g...)})
	if rec.Route != "" {
		attrs = m.text(attrs, n.route, rec.Route)
	}
	return append(attrs,
		slog.Int64(n.bytesIn, rec.BytesIn), slog.Int64(n.bytesOut, rec.BytesOut), slog.String("outcome", string(rec.Outcome)))
}

// url returns the URL that the client requested. The path is escaped, because a "?"
// in it would begin a query.
func (l *requestLog) url() string {
	u := "http://"
	if l.original.TLS != nil {
		u = "https://"
	}
	path := l.path
	if escaped := l.extras().escaped; escaped != "" {
		path = escaped
	}
	u += l.original.Host + path
	if l.query != "" {
		u += "?" + l.settings.query.redact(l.query)
	}
	return u
}

// latency formats a Duration as protobuf's JSON does: "0.012345678s".
func latency(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 9, 64) + "s"
}
