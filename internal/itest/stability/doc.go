// Package stability compares what users may rely on with a committed list,
// docs/stability.txt: exported names, statuses, problem codes, outcomes, log keys
// and metric names. It also checks the names in docs/reliance.md. It has only tests.
// To update the list:
//
//	go test ./internal/itest/stability -update
package stability
