// Package bulwarkotel connects package logging to OpenTelemetry. It counts requests
// in metrics, puts the ids of the active span into the log record, and sets the
// outcome of the request on the span.
//
//	telemetry := bulwarkotel.New(bulwarkotel.Config{})
//	stack := bulwark.New(bulwark.Config{
//		Logging: telemetry.Server(logging.Config{}),
//		Timeout: timeout.Config{Detach: true},
//	})
//	handler := otelhttp.NewHandler(stack(mux), "", otelhttp.WithMeterProvider(noop.NewMeterProvider()))
//
// For outbound calls:
//
//	client := &http.Client{Transport: logging.NewTransport(telemetry.Client(logging.TransportConfig{
//		Base: otelhttp.NewTransport(nil, otelhttp.WithMeterProvider(noop.NewMeterProvider())),
//	}))}
//
// otelhttp has metrics with the same names. With both, every request would be
// counted twice, so the examples give otelhttp a MeterProvider that does nothing.
//
// # Metrics
//
// Names, units, attributes and bucket boundaries follow OpenTelemetry's conventions
// for HTTP metrics:
//
//	http.server.request.duration  histogram, s              http.request.method, url.scheme, http.route,
//	                                                        http.response.status_code, network.protocol.version,
//	                                                        error.type, bulwark.outcome
//	http.server.active_requests   up-down counter, {request}  http.request.method, url.scheme
//	http.client.request.duration  histogram, s              http.request.method, server.address, server.port,
//	                                                        http.response.status_code, network.protocol.version,
//	                                                        error.type, bulwark.outcome
//	http.client.active_requests   up-down counter, {request}  http.request.method, server.address, server.port
//
// The conventions have no names for these metrics:
//
//	bulwark.server.queue.wait           histogram, s         bulwark.outcome
//	bulwark.server.refusals             counter, {request}   http.route, bulwark.reason, bulwark.policy, bulwark.shadow
//	bulwark.server.abandoned_handlers   counter, {handler}   http.route
//	bulwark.server.truncated_responses  counter, {response}  http.route
//	bulwark.client.refusals             counter, {request}   server.address, server.port, bulwark.reason
//
// If a request has no value for an attribute, the attribute is left out.
// bulwark.outcome is the [logging.Outcome], and is left out if that is ok. In
// Prometheus these metrics are the same as those of package bulwarkprometheus; its
// documentation describes the values of the attributes, and when each metric
// counts. A client cannot create new series: an unknown method is _OTHER, the path
// is not an attribute, and the hosts of outbound calls beyond [Config.MaxServers]
// are _OTHER. Requests whose trace is recorded become exemplars if the SDK's filter
// accepts them.
//
// The known methods are those of KnownMethods. If that is not set, and the
// environment variable OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS has a list with
// commas, New reads it. It replaces the default, also in the log records.
//
// # Spans
//
// Put tracing middleware such as otelhttp outside logging, as above. Its span is
// then active when the request reaches logging. The log record, and everything that
// is logged with [logging.Logger], have the trace_id and span_id of this span
// instead of the caller's. When the request has ended, the span gets
//
//   - bulwark.outcome (also ok), and http.route if the route is known;
//   - the status Error and error.type, if the server failed: a 5xx, a deadline, a
//     panic, an incomplete response;
//   - the status Ok if the client left: a handler may then return a 500 because its
//     queries were canceled, which is not an error of the server.
//
// In all other cases the span keeps the status that the tracing middleware sets. A
// 408 for a client that was slow to send its body is not an error of the server.
//
// If tracing middleware is between logging and timeout, put [Inside] directly
// inside it:
//
//	stack := bulwark.Chain(
//		logging.New(telemetry.Server(logging.Config{})),
//		otelhttp.NewMiddleware(""),
//		bulwarkotel.Inside,
//		timeout.New(timeout.Config{Limit: time.Second, Detach: true}),
//	)
//
// The log record is the same. But the span then ends before the request, and
// records the status of the handler, which at a deadline is often 200. The span
// still gets the status Error, and http.route from Inside.
//
// In both cases set timeout.Config.Detach. Tracing middleware replaces the request
// and the writer. Without Detach, the response for a stuck HTTP/2 handler then ends
// with a reset of the stream; with Detach, the client gets the complete 504. An
// abandoned handler may continue to use its span, but changes after the end of the
// span are lost.
package bulwarkotel
