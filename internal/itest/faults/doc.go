// Package faults has only tests. It has a file for each kind of fault of middleware
// that is visible on the wire or in the log. Each fault is tested over real sockets
// with every stack and protocol in which it can occur.
//
// Each test compares what the client received, and the log record, with the right
// result. Checks that apply to every answer are in stacks_test.go.
package faults
