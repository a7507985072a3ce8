package logging

// names are the keys of a line in one schema. An empty one is left out.
type names struct {
	method, methodOriginal, path, query, route, status string
	bytesIn, bytesOut, duration                        string
	client, peer, agent, proto                         string
	id, trace, span                                    string
	errType, errMessage                                string
	panicType, panicMessage, panicStack                string
	requestHeader, responseHeader                      string // prefixes
	server, port, url                                  string // outbound
}

// The keys by Schema.
var schemas = [...]names{
	// HTTP semantic conventions 1.38, spans and metrics:
	// https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and
	// https://opentelemetry.io/docs/specs/semconv/registry/attributes/
	OTel: otelNames("http.server.request.duration"),
	// Elastic Common Schema 8: https://www.elastic.co/docs/reference/ecs/ecs-http
	// and its neighbours client, error, event, tracing, url and user_agent. It has
	// no field for the route; OpenTelemetry's name serves, as ECS is merging into
	// its conventions.
	ECS: {
		method: "http.request.method",
		path:   "url.path", query: "url.query", route: "http.route",
		status: "http.response.status_code", bytesIn: "http.request.body.bytes", bytesOut: "http.response.body.bytes",
		duration: "event.duration",
		client:   "client.address", peer: "network.peer.address", agent: "user_agent.original", proto: "http.version",
		id: "http.request.id", trace: "trace.id", span: "span.id",
		errType: "error.type", errMessage: "error.message",
		panicType: "panic.type", panicMessage: "panic.message", panicStack: "error.stack_trace",
		requestHeader: "http.request.headers.", responseHeader: "http.response.headers.",
		server: "server.address", port: "server.port", url: "url.full",
	},
	// Google Cloud Logging: the special fields of structured payloads,
	// https://cloud.google.com/logging/docs/agent/logging/configuration#special-fields,
	// and HttpRequest of the LogEntry,
	// https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest,
	// see httpRequest. What has no place there keeps OpenTelemetry's names.
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
