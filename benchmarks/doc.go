// Package benchmarks compares Bulwark with what people use today. It is the
// only place where other libraries of the kind are imported, and a module of
// its own so that they weigh on nobody else.
//
// Machines are shared and noisy, so nothing here asserts an absolute time. What
// is compared is run in interleaved rounds and reported as the ratio of what
// each adds to a bare handler:
//
//	go test -bench . -benchtime 1x ./benchmarks
package benchmarks
