package logging

// names are the keys of a line in one schema. An empty one is left out.
type names struct {
	method, methodOriginal, path, query, route, status string
	bytesIn, bytesOut, duration                        string
	client, clientIP, peer, peerIP, agent, proto       string
	id, trace, span                                    string
	errType, errMessage                                string
	panicType, panicMessage, panicStack                string
	requestHeader, responseHeader                      string // prefixes
	server, port, url                                  string // outbound
}

// The keys by Schema. A test holds all that is written against the definitions
// named here.
var schemas = [...]names{
	// OpenTelemetry's semantic conventions for HTTP server and client spans,
	// github.com/open-telemetry/semantic-conventions docs/http/http-spans.md, and
	// docs/registry/attributes/exception.md for panics. Durations have the names of
	// the metrics, http.server.request.duration and http.client.request.duration.
	// trace_id and span_id are those of the specification's "Trace Context in
	// non-OTLP Log Formats". error.message is deprecated in the registry in favour
	// of names of each domain, of which HTTP has none.
	OTel: otelNames("http.server.request.duration"),
	// Elastic Common Schema, github.com/elastic/ecs schemas/*.yml: http, url, client,
	// source, server, user_agent, error, event and tracing (whose fields have no
	// prefix). Addresses that are IPs stand under .ip, too, as client.yml asks for. It
	// has no field for the route, for single headers and for what panicked; there
	// OpenTelemetry's names serve, as ECS is merging into its conventions.
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
	},
	// Google Cloud Logging: HttpRequest of the LogEntry,
	// github.com/googleapis/googleapis google/logging/type/http_request.proto, in the
	// JSON form of protobuf, see httpRequest; and the special fields of structured
	// payloads, https://cloud.google.com/logging/docs/structured-logging. What has no
	// place there keeps OpenTelemetry's names.
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
	n.panicStack = "stack_trace" // where Error Reporting looks for it
	return n
}

// knownMethod tells the methods that OpenTelemetry takes for known: RFC 9110,
// RFC 5789 and QUERY.
func knownMethod(m string) bool {
	switch m {
	case "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY":
		return true
	}
	return false
}

// otherMethod keeps the cardinality low.
const otherMethod = "_OTHER"
