//go:build unix

package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const ada = `{"name":"Ada","email":"ada@example.com"}`

// half is a request whose handler is known to run: it has asked for the body by a 100.
func half(t *testing.T, p *process) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(p.url, "http://"), patience)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(conn, "POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(ada))
	require.NoError(t, err)
	r := bufio.NewReader(conn)
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		got, err := r.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	return conn, r
}

// TestShutdown: at first the service is not ready, but serves requests. Then the requests
// in flight end, and then the service.
func TestShutdown(t *testing.T) {
	p := serve(t, nil, "-request.timeout", "30s", "-shutdown.delay", "3s")
	conn, r := half(t, p)
	p.signal(t, syscall.SIGTERM)
	p.await(t, func(l line) bool { return l.Message == "shutting down" })
	assert.Equal(t, reply{503, `{"error":"not ready"}`}, p.get(t, "/readyz").reply)
	assert.Equal(t, 200, p.get(t, "/livez").status)
	assert.Equal(t, 200, p.get(t, "/users/123").status)

	refused(t, p)
	finish(t, p, conn, r)
}

// TestInterrupt is Ctrl-C.
func TestInterrupt(t *testing.T) {
	p := serve(t, nil, "-request.timeout", "30s")
	conn, r := half(t, p)
	p.signal(t, syscall.SIGINT)
	refused(t, p)
	finish(t, p, conn, r)
}

// finish ends the request that was in flight, and the service.
func finish(t *testing.T, p *process, conn net.Conn, r *bufio.Reader) {
	t.Helper()
	_, err := io.WriteString(conn, ada)
	require.NoError(t, err)
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	res.Body.Close()
	assert.Equal(t, 201, res.StatusCode)
	code, stderr := p.exit(t)
	assert.Equal(t, 0, code)
	assert.Empty(t, stderr)
}

// refused waits until there are no new connections.
func refused(t *testing.T, p *process) {
	t.Helper()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, patience, 20*time.Millisecond)
}

// TestShutdownLimit: the connections of requests that do not end in time are closed.
func TestShutdownLimit(t *testing.T) {
	p := serve(t, nil, "-request.timeout", "5m", "-shutdown.timeout", "100ms")
	_, r := half(t, p)
	p.signal(t, syscall.SIGTERM)
	code, _ := p.exit(t)
	assert.Equal(t, 0, code)
	_, err := r.ReadByte()
	require.Error(t, err)
	p.await(t, func(l line) bool { return strings.HasPrefix(l.Message, "closing connections") })
}

// TestSecondSignal ends the service at once.
func TestSecondSignal(t *testing.T) {
	p := serve(t, nil, "-request.timeout", "5m", "-shutdown.timeout", "5m")
	half(t, p)
	p.signal(t, syscall.SIGTERM)
	p.await(t, func(l line) bool { return l.Message == "shutting down" })
	p.signal(t, syscall.SIGTERM)
	<-p.ended
	assert.Equal(t, syscall.SIGTERM, p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
}
