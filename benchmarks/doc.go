// Command benchmarks compares Bulwark with what people use today, in what it
// costs and in how requests end, and writes RESULTS.md and plots:
//
//	go run ./benchmarks                       # all of it, some six minutes
//	go run ./benchmarks -short -out /tmp      # a quick look
//	go run ./benchmarks -only stack,endings
//
// It is the place where other libraries of the kind are measured, and a module of
// its own so that they weigh on nobody else.
//
// Machines are shared and noisy, so nothing here asserts an absolute time beyond
// those that are promised to a client. What is compared takes turns, and is
// reported as the ratio of what each adds to a bare handler.
package main
