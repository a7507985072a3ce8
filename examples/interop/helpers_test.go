package interop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// text is a buffer for any goroutine.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *text) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *text) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// await waits for c to be closed, or for something to come.
func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(watchdog):
		require.Fail(t, "it does not happen")
	}
	return v
}

// pass waits until d has passed, which is what the test is about.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// same compares bodies that nobody wants to see in the output.
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

// onlyReader reads text, and does not say how long it is.
func onlyReader(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} }

func textLog(to *text) *log.Logger { return log.New(to, "", 0) }
