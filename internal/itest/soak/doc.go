// Package soak tests that requests that end unusually leak no memory, goroutines,
// file descriptors or permits, even if there are many. It has only tests.
//
// A leak of a few bytes is visible only after many requests, so the tests take
// minutes, and run only with the build tag wire:
//
//	go test -tags=wire ./internal/itest/soak -soak.n=200000 -soak.clients=64 -timeout=3h
package soak
