package logging

import (
	"log/slog"
	"maps"
)

// commonAttrs are the values that many log records share.
type commonAttrs struct {
	method, route, proto string
	status               int
	outcome              Outcome
	noBody               bool
}

// maxPrepared bounds the number of prepared handlers. Records for which there is
// none are written with all of their attributes.
const maxPrepared = 512

// prepared is a handler that has encoded one set of common attributes.
type prepared struct {
	slog.Handler
	cost int // what the attributes take from the budget, in bytes
}

// preparedHandlers are the prepared handlers of one handler. It is immutable: a
// change makes a copy.
type preparedHandlers struct {
	handler slog.Handler
	byAttrs map[commonAttrs]prepared
}

// chooseHandler returns the handler for a log record, and appends the common
// attributes unless the handler has encoded them already. Only slog's own handlers
// are prepared, because other handlers may look for attributes in the record.
func (l *requestLog) chooseHandler(attrs []slog.Attr, m *budget, rec *Record) (slog.Handler, []slog.Attr) {
	h := l.log.Handler()
	if l.Schema == GCP {
		return h, l.httpRequest(attrs, m, rec)
	}
	k := commonAttrs{l.method(rec), rec.Route, rec.Proto, rec.Status, rec.Outcome, rec.BytesIn == 0}
	switch h.(type) {
	case *slog.JSONHandler, *slog.TextHandler:
		if rec.Method == otherMethod { // the client chose the method
			break
		}
		p, ok := l.lookup(h, &k)
		if !ok {
			p, ok = l.prepare(h, &k)
		}
		if ok {
			m.left -= p.cost
			return p.Handler, attrs
		}
	}
	return h, m.common(attrs, l.names, &k)
}

func (s *settings) lookup(h slog.Handler, k *commonAttrs) (prepared, bool) {
	known := s.prepared.Load()
	if known == nil || known.handler != h {
		return prepared{}, false
	}
	p, ok := known.byAttrs[*k]
	return p, ok
}

// prepare makes a prepared handler. If slog.Default has changed, the handlers
// prepared for the previous one are dropped.
func (l *requestLog) prepare(h slog.Handler, k *commonAttrs) (p prepared, ok bool) {
	before := l.prepared.Load()
	now := &preparedHandlers{handler: h, byAttrs: make(map[commonAttrs]prepared)}
	switch {
	case before != nil && before.handler == h && len(before.byAttrs) >= maxPrepared, l.settings.logger().Handler() != h:
		return prepared{}, false
	case before != nil && before.handler == h:
		now.byAttrs = maps.Clone(before.byAttrs)
	}
	defer l.reportPanic("the slog handler's WithAttrs")
	m := budget{left: maxRecord}
	attrs := m.common(nil, l.names, k)
	p = prepared{h.WithAttrs(attrs), maxRecord - m.left}
	now.byAttrs[*k] = p
	l.prepared.CompareAndSwap(before, now) // if another goroutine was faster, the next record tries again
	return p, true
}

// common appends the common attributes.
func (m *budget) common(attrs []slog.Attr, n *names, k *commonAttrs) []slog.Attr {
	attrs = m.text(attrs, n.method, k.method)
	if k.route != "" {
		attrs = m.text(attrs, n.route, k.route)
	}
	if k.status != 0 {
		attrs = append(attrs, slog.Int(n.status, k.status))
	}
	if k.proto != "" {
		attrs = append(attrs, slog.String(n.proto, k.proto))
	}
	attrs = append(attrs, slog.String("outcome", string(k.outcome)))
	if k.noBody {
		attrs = append(attrs, slog.Int64(n.bytesIn, 0))
	}
	return attrs
}

// A slog.Record stores only five attributes without an allocation. So groupLast
// puts the last attributes of a typical log record into a group without a name,
// which slog's own handlers write inline.
func (l *requestLog) groupLast(attrs []slog.Attr) []slog.Attr {
	const room = 5
	if len(attrs) != room-1+len(l.last) {
		return attrs
	}
	copy(l.last[:], attrs[room-1:])
	return append(attrs[:room-1], slog.Attr{Value: slog.GroupValue(l.last[:]...)})
}
