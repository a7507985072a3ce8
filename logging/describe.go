package logging

import "github.com/bulwark-go/bulwark/internal/exchange"

// Describe implements exchange.Describer, for package inspect. It reads only what
// was written before the handler ran.
func (l *requestLog) Describe(pattern string) exchange.Description {
	d := exchange.Description{
		Method: l.original.Method, Route: route(pattern, l.original.Host),
		Path: clean(l.path), Client: clean(l.client), ID: l.ID(),
		Protocol: protocol(l.original.ProtoMajor, l.original.ProtoMinor),
	}
	if !l.knows(d.Method) {
		d.Method = otherMethod
	}
	if l.agent != "" {
		d.Agent = clean(l.settings.query.scrub(l.agent))
	}
	return d
}

// Explain implements exchange.Describer.
func (l *requestLog) Explain(e *exchange.Ending) (kind, message string) {
	rec := l.record(l.x, e, trace{})
	kind, message = errorType(e.First, e.Panic, &rec), causeText(e, &l.settings.query)
	if e.Panic != nil {
		message = l.panicText(e.Panic)
	}
	return clean(kind), clean(message)
}
