package costs

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// TestCPU: each server is a process, whose CPU time is counted. A server with a whole
// stack uses more than a bare one, on any machine.
func TestCPU(t *testing.T) {
	names := []string{bareServer, stacks.NetHTTP}
	cs, err := measure.Load{Conns: 4, Requests: 200, For: time.Minute}.CPU(15, get(), ServeCommand, names)
	require.NoError(t, err)
	assert.Positive(t, cs.Of(bareServer).Nanos.Median)
	assert.Greater(t, cs.Ratio(stacks.NetHTTP, bareServer).Value, 1.)
}

// TestCPUOfBrokenServer: a server that fails has no figure.
func TestCPUOfBrokenServer(t *testing.T) {
	load := measure.Load{Conns: 2, Requests: 4, For: time.Minute}
	_, err := load.CPU(1, get(), ServeCommand, []string{"missing"})
	require.ErrorContains(t, err, "missing: the server did not start")

	_, err = load.CPU(1, []byte("GET /missing HTTP/1.1\r\nHost: test\r\n\r\n"), ServeCommand, []string{bareServer})
	assert.ErrorContains(t, err, `bare: answered "HTTP/1.1 404 Not Found"`)
}

// TestServeRefuses: the command has only the servers that are compared.
func TestServeRefuses(t *testing.T) {
	for desc, args := range map[string][]string{"none": nil, "unknown": {"missing"}, "two": {bareServer, bareServer}} {
		t.Run(desc, func(t *testing.T) {
			assert.ErrorContains(t, Serve(args, new(bytes.Buffer), io.Discard), "serve: no such server")
		})
	}
}
