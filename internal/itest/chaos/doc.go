// Package chaos tests the whole stack on net/http, Gin and Echo v5 under a random
// load, which a seed determines. The load mixes ordinary requests with everything
// that can go wrong between a client and a server. The package has only tests.
//
//	go test -race ./internal/itest/chaos                                        # a few seconds of seed 1
//	go test -race ./internal/itest/chaos -chaos.seed=7 -chaos.for=5m -timeout=6m
//	go test -race ./internal/itest/chaos -chaos.seed=7 -chaos.only=123          #           # one entry of it, repeatedly
//
// Entry n of a seed's plan is a connection with its requests. The entry depends
// only on the seed and n. Each request has a scenario (scenarios_test.go): a
// handler, a client, and the endings that are allowed. An ending has a status,
// bytes and an outcome. If timing decides between several endings, the scenario
// lists them all and says why. The following holds for every request
// (check_test.go):
//
//   - A request that reached the stack has exactly one log record. Other requests
//     have none.
//   - A status that the client saw is the one in the log record.
//   - The response is a prefix of that request's own bytes, and if it is not
//     all of them, the transfer is visibly broken.
//   - What the handler read is a prefix of that request's own body.
//   - "http handler ended late" is logged once if the log record says that the handler
//     was abandoned, and otherwise never.
//
// At the end of the run every permit is released, and no goroutine, descriptor,
// temporary file or memory is leaked.
package chaos
