// Package examples has the same small service three times: on net/http, on Gin and
// on Echo, each behind all four Bulwark packages. One table of end-to-end tests
// runs against all three.
//
//	go run ./examples/nethttp
//	curl localhost:8080/users/123       {"message":"User 123"}
//	curl localhost:8080/users/404       {"error":"not found"}
//	curl localhost:8080/users/boom      {"error":"internal"}
//
//	go run ./examples/nethttp -latency 120ms
//	curl localhost:8080/users/123       {"error":"timeout"}
//
// The example functions of this package show the smallest change that adds Bulwark
// to a service on net/http, chi, Gin, Echo v5 and Echo v4.
//
// Another example is a separate module: service is a production service to copy, with
// a database, a cache, outbound calls, metrics, traces and configuration.
//
// docs/recipes has packages to copy: validation turns the errors of
// go-playground/validator into problem documents, and sizes adds your own metrics to
// those of adapters/bulwarkprometheus.
//
// The tests in internal/itest show what the packages do behind other libraries
// and under faults.
package examples
