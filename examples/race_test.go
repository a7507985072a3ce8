//go:build race && unix

package examples_test

// The servers are built as the test is: a race in one of them is a failure.
func init() { buildFlags = append(buildFlags, "-race") }
