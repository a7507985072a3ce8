// Package bulwarkprometheus counts the requests that package logging records in
// Prometheus metrics. Each request is counted once, with the status that was sent
// and its outcome.
//
//	metrics := bulwarkprometheus.New(bulwarkprometheus.Config{})
//	stack := bulwark.New(bulwark.Config{Logging: metrics.Server(logging.Config{})})
//
//	mux.Handle("GET /metrics", promhttp.Handler())
//	http.ListenAndServe(addr, stack(mux))
//
// For outbound calls:
//
//	client := &http.Client{Transport: logging.NewTransport(metrics.Client(logging.TransportConfig{}))}
//
// # Metrics
//
// Names, units, labels and buckets follow OpenTelemetry's conventions for HTTP
// metrics, in the form that they have in Prometheus. Dashboards for otelhttp work
// with them:
//
//	http_server_request_duration_seconds  histogram  http_request_method, url_scheme, http_route,
//	                                                 http_response_status_code, network_protocol_version,
//	                                                 error_type, bulwark_outcome
//	http_server_active_requests           gauge      http_request_method, url_scheme
//	http_client_request_duration_seconds  histogram  http_request_method, server_address, server_port,
//	                                                 http_response_status_code, network_protocol_version,
//	                                                 error_type, bulwark_outcome
//	http_client_active_requests           gauge      http_request_method, server_address, server_port
//
// The conventions have no names for these metrics:
//
//	bulwark_server_queue_wait_seconds         histogram  bulwark_outcome
//	bulwark_server_refusals_total             counter    http_route, bulwark_reason, bulwark_policy, bulwark_shadow
//	bulwark_server_abandoned_handlers_total   counter    http_route
//	bulwark_server_truncated_responses_total  counter    http_route
//	bulwark_client_refusals_total             counter    server_address, server_port, bulwark_reason
//
// A request is active until it has ended for the client, even if its handler is
// still running. Such a handler is abandoned, and is counted once. A response is
// truncated if the client got only a part of it and can see that the rest is
// missing. Only requests that waited for a permit of package limits are in
// bulwark_server_queue_wait_seconds.
//
// # Labels
//
// A label is empty if the request has no value for it, for example if the route is
// not known or no status was sent. bulwark_outcome is the [logging.Outcome],
// and empty if that is ok.
//
// error_type is empty unless the server is at fault. It is also empty if the client
// left or was slow to send its body. Otherwise it is the outcome if that is
// deadline, panic, aborted, write_timeout, write_error or short_body, or else a
// status of 500 or above. For outbound calls it is a status of 400 or above, or any
// outcome except ok and upgraded.
//
// bulwark_reason is one of the following: a limits.Reason (in_flight, rate, ratio,
// coding, uri, header; for outbound calls response); body, if the body is too
// large; quota, if package quota refused the request, with the name of the policy
// in bulwark_policy; or budget, if a caller's budget was too small. bulwark_shadow
// is "true" if package limits or quota would have refused the request without their
// Shadow, and otherwise "false".
//
// # Cardinality
//
// A client cannot create new series. A method that is not in KnownMethods of
// logging.Config is _OTHER, the path is not a label, and http_route is empty if no
// route matches. Other servers can choose the hosts of outbound calls, for example
// by redirects. So after the first [Config.MaxServers] hosts all others are _OTHER.
//
// # Exemplars
//
// If the trace of a request is recorded, its trace_id and span_id become an
// exemplar, at most one a second for each bucket of a series. Prometheus stores
// exemplars if its feature flag exemplar-storage is set, and gets them only in the
// OpenMetrics format (promhttp.HandlerOpts.EnableOpenMetrics). The ids are those in
// the log record: the caller's from the traceparent, or those of a tracing library
// (see package bulwarkotel).
package bulwarkprometheus
