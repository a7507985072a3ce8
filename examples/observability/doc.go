// Package observability shows how package logging goes together with what else
// watches a service. It is a module of its own, so that nobody else gets
// Prometheus and OpenTelemetry with the examples.
//
//   - prom: metrics for Prometheus
//   - otelmetrics: metrics by OpenTelemetry's conventions
//   - oteltraces: the ids of OpenTelemetry's span in the log line
//
// Each is a file to copy, with a test that drives a server.
package observability
