// Package examples holds the same small service three times: on net/http, on
// Gin and on Echo, each behind all four Bulwark packages. Its end-to-end test
// drives the three with one table, so that they cannot drift apart.
//
//	go run ./examples/nethttp
//	curl localhost:8080/users/123       {"message":"User 123"}
//	curl localhost:8080/users/404       {"error":"not found"}
//	curl localhost:8080/users/boom      {"error":"internal"}
//
//	go run ./examples/nethttp -latency 120ms
//	curl localhost:8080/users/123       {"error":"timeout"}
//
// The examples of this package are the shortest way to Bulwark for a service on
// net/http, chi, Gin, Echo v5 and Echo v4. Package conformance holds all of them
// against one table, and package chaos puts three of them under a load of faults.
//
// Beside them, modules of their own: validation answers the errors of
// go-playground/validator, observability shows package logging with Prometheus
// and OpenTelemetry, interop says of libraries that many services have where in
// the chain they go, and migration has the code of docs/migration.md. service is
// what a production service looks like with all of it: a database, a cache,
// outbound calls, metrics, traces, configuration.
package examples
