//go:build !race

package inspect_test

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/inspect"
)

type contextKey struct{}

// copies is a middleware that copies the request.
func copies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, 1)))
	})
}

// Listing a request in flight allocates nothing, in any order of the middleware.
func TestNoAllocation(t *testing.T) {
	in := inspect.New(inspect.Config{})
	without, behind, around := stacks(in)
	log := logTo(io.Discard)
	for name, handlers := range map[string][2]http.Handler{
		"behind logging": {without, behind},
		"around logging": {without, around},
		"behind a middleware that copies the request": {
			bulwark.Chain(log, copies)(jsonMux()), bulwark.Chain(log, copies, in.Middleware)(jsonMux()),
		},
	} {
		r := benchRequest(t)
		allocations := func(h http.Handler) float64 {
			const runs = 2000
			var before, after runtime.MemStats
			serveMany(h, r, 10*runs) // the slots have their labels
			runtime.ReadMemStats(&before)
			serveMany(h, r, runs)
			runtime.ReadMemStats(&after)
			return float64(after.Mallocs-before.Mallocs) / runs
		}
		assert.InDelta(t, allocations(handlers[0]), allocations(handlers[1]), 0.05, name)
	}
}
