// Package stability compares what users may rely on with a committed list,
// docs/stability.txt: exported names, statuses, problem codes, outcomes, log keys
// and metric names. It has only tests. To update the list:
//
//	go test ./internal/itest/stability -update
package stability
