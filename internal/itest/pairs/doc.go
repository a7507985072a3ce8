// Package pairs has only tests. They make two events of a request happen within
// microseconds of each other, in small steps of their distance from before to after,
// and check what must hold in either order.
//
// The tests take minutes, so they run only with the build tag wire. Run many pairs
// after a change to how requests end:
//
//	go test -tags=wire -race ./internal/itest/pairs -pairs.n=50 -timeout=30m
package pairs
