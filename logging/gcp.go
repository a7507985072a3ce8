package logging

import (
	"log/slog"
	"strconv"
	"time"
)

// httpRequest is the line in Cloud Logging's own form. requestSize and
// responseSize are left out: they count headers and framing, which nobody here
// sees; the bodies stand beside the group.
func (l *line) httpRequest(attrs []slog.Attr, m *meter, rec *Record) []slog.Attr {
	n := l.names
	g := m.text(make([]slog.Attr, 0, 7), "requestMethod", l.method(rec))
	g = m.string(g, "requestUrl", l.url())
	if rec.Status != 0 {
		g = append(g, slog.Int("status", rec.Status))
	}
	if l.agent != "" {
		g = m.string(g, "userAgent", l.agent)
	}
	if l.client != "" {
		g = m.string(g, "remoteIp", l.client)
	}
	g = append(g, slog.String("latency", latency(rec.Duration)), slog.String("protocol", "HTTP/"+rec.Proto))
	attrs = append(attrs, slog.Attr{Key: "httpRequest", Value: slog.GroupValue(g...)})
	if rec.Route != "" {
		attrs = m.text(attrs, n.route, rec.Route)
	}
	return append(attrs, slog.Int64(n.bytesIn, rec.BytesIn), slog.Int64(n.bytesOut, rec.BytesOut))
}

// url is what the client asked for, by the Host it named.
func (l *line) url() string {
	u := "http://"
	if l.asked.TLS != nil {
		u = "https://"
	}
	u += l.asked.Host + l.path
	if l.query != "" {
		u += "?" + l.settings.query.redact(l.query)
	}
	return u
}

// latency is a Duration as protobuf's JSON has it: "0.012345678s".
func latency(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 9, 64) + "s"
}
