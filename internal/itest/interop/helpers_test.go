package interop_test

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// await waits until c is closed, or sends.
func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(watchdog):
		require.Fail(t, "it does not happen")
	}
	return v
}

// pass waits until d has passed, which the test is about.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// same compares bodies that are too long for the output.
func same(t *testing.T, want, got string) {
	t.Helper()
	assert.Equal(t, len(want), len(got)) //nolint:testifylint // assert.Len would print it
	assert.Equal(t, sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got)))
}

// without is a JSON object without one of its members.
func without(t *testing.T, object, member string) string {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(object), &m), object)
	assert.Contains(t, m, member)
	delete(m, member)
	out, err := json.Marshal(m)
	require.NoError(t, err)
	return string(out)
}

// onlyReader reads text, and hides its length.
func onlyReader(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} }
