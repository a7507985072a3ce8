// Package chaos puts the whole stack on net/http, Gin and Echo v5 under a load
// that a seed decides: ordinary requests mixed with everything that goes wrong
// between a client and a server. It has nothing but tests.
//
//	go test -race ./examples/chaos                                        # a few seconds of seed 1
//	go test -race ./examples/chaos -chaos.seed=7 -chaos.for=5m -timeout=6m
//	go test -race ./examples/chaos -chaos.seed=7 -chaos.only=123          # one entry of it, over and over
//
// Entry n of a seed's plan is a connection and the requests on it; it depends on
// nothing but the seed and n. Each request has a scenario (scenarios_test.go): a
// handler, a client, and the endings that are allowed, each with its status, its
// bytes and its outcome. Where timing decides which of them it is, the scenario
// lists them all and says why. Beyond that it holds of every request, whatever
// became of it (check_test.go):
//
//   - A request that reached the stack has exactly one line, any other has none.
//   - A status that the client saw is the one in the line.
//   - The response is a prefix of that request's own bytes, and where it is not
//     all of them, the transfer is visibly broken.
//   - What the handler read is a prefix of that request's own body.
//   - The note that a handler ended late comes once where the line says that it
//     was abandoned, and else never.
//
// At the end of the run every permit is back, and no goroutine, descriptor,
// temporary file or memory is left.
package chaos
