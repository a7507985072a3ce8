package logging

import (
	"log/slog"
	"slices"
)

// names are the keys of a log record in one schema. An attribute whose key is empty
// is left out.
type names struct {
	method, methodOriginal, path, query, route, status string
	bytesIn, bytesOut, duration                        string
	client, clientIP, peer, peerIP, agent, proto       string
	id, trace, span                                    string
	errType, errMessage                                string
	panicType, panicMessage, panicStack                string
	requestHeader, responseHeader                      string // prefixes
	server, port, url                                  string // outbound
	message                                            string // the schema's name for slog's message
}

// ownKeys returns names that an attribute of the application must not have: the
// names that slog adds, and the names of the attributes of a prepared handler. The
// names of the attributes in the record are not in the list.
func (n *names) ownKeys() [11]string {
	return [...]string{
		slog.TimeKey, slog.LevelKey, slog.MessageKey, n.message, droppedKey, "outcome",
		n.method, n.route, n.status, n.proto, n.bytesIn,
	}
}

// schemas are the keys by Schema. A test compares them with the definitions named
// here.
var schemas = [...]names{
	// OpenTelemetry's semantic conventions for HTTP server and client spans,
	// github.com/open-telemetry/semantic-conventions docs/http/http-spans.md, and
	// docs/registry/attributes/exception.md for panics. Durations have the names of
	// the metrics, http.server.request.duration and http.client.request.duration.
	// trace_id and span_id come from "Trace Context in non-OTLP Log Formats" in the
	// specification. error.message is deprecated in the registry in favor of
	// domain-specific names, but HTTP has no such name.
	OTel: otelNames("http.server.request.duration"),
	// Elastic Common Schema, github.com/elastic/ecs schemas/*.yml: http, url,
	// client, source, server, user_agent, error, event and tracing (whose fields
	// have no prefix). An IP address is also written under .ip, as client.yml asks
	// for. ECS has no field for the route, for single headers or for a panic's
	// value. These have OpenTelemetry's names, because ECS is being merged into
	// OpenTelemetry's conventions.
	ECS: {
		method: "http.request.method",
		path:   "url.path", query: "url.query", route: "http.route",
		status: "http.response.status_code", bytesIn: "http.request.body.bytes", bytesOut: "http.response.body.bytes",
		duration: "event.duration",
		client:   "client.address", clientIP: "client.ip", peer: "source.address", peerIP: "source.ip",
		agent: "user_agent.original", proto: "http.version",
		id: "http.request.id", trace: "trace.id", span: "span.id",
		errType: "error.type", errMessage: "error.message",
		panicType: "exception.type", panicMessage: "exception.message", panicStack: "error.stack_trace",
		requestHeader: "http.request.header.", responseHeader: "http.response.header.",
		server: "server.address", port: "server.port", url: "url.full",
		message: "message",
	},
	// Google Cloud Logging: the HttpRequest of a LogEntry
	// (github.com/googleapis/googleapis google/logging/type/http_request.proto) in
	// the JSON form of protobuf, see httpRequest; and the special fields of
	// structured payloads
	// (https://cloud.google.com/logging/docs/structured-logging). Everything else
	// has OpenTelemetry's names.
	GCP: gcpNames(),
}

func otelNames(duration string) names {
	return names{
		method: "http.request.method", methodOriginal: "http.request.method_original",
		path: "url.path", query: "url.query", route: "http.route",
		status: "http.response.status_code", bytesIn: "http.request.body.size", bytesOut: "http.response.body.size",
		duration: duration,
		client:   "client.address", peer: "network.peer.address", agent: "user_agent.original", proto: "network.protocol.version",
		id: "request_id", trace: "trace_id", span: "span_id",
		errType: "error.type", errMessage: "error.message",
		panicType: "exception.type", panicMessage: "exception.message", panicStack: "exception.stacktrace",
		requestHeader: "http.request.header.", responseHeader: "http.response.header.",
		server: "server.address", port: "server.port", url: "url.full",
	}
}

func gcpNames() names {
	n := otelNames("http.server.request.duration")
	n.trace, n.span = "logging.googleapis.com/trace", "logging.googleapis.com/spanId"
	n.message = "message"
	n.panicStack = "stack_trace" // the field that Error Reporting reads
	return n
}

// knownMethod reports whether OpenTelemetry's conventions list the method. They
// list the methods of RFC 9110, PATCH (RFC 5789) and QUERY.
func knownMethod(m string) bool {
	switch m {
	case "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY":
		return true
	}
	return false
}

// knows reports whether the method is in KnownMethods or, if that is not set, a
// knownMethod.
func (s *settings) knows(method string) bool {
	if s.KnownMethods != nil {
		return slices.Contains(s.KnownMethods, method)
	}
	return knownMethod(method)
}

// otherMethod stands for every other method and keeps the cardinality low.
const otherMethod = "_OTHER"
