//go:build unix

package examples_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWrongUse(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		for _, tc := range []struct {
			args []string
			want string
		}{
			{[]string{"-port", "80"}, "flag provided but not defined: -port"},
			{[]string{"-latency", "soon"}, `invalid value "soon" for flag -latency: parse error`},
			{[]string{"-latency", "-1ms"}, "-latency must not be negative: -1ms"},
			{[]string{"-timeout", "0s"}, "-timeout must be positive: 0s"},
			{[]string{"-latency", "1ms", "now"}, `unexpected argument "now"`},
		} {
			t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
				p := launch(t, name, tc.args...)
				out, errs := p.wait(t)
				assert.Equal(t, 2, p.exitCode())
				assert.Empty(t, out)
				assert.Equal(t, []string{name + ": " + tc.want}, errs)
			})
		}
	})
}

func TestHelp(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		p := launch(t, name, "-h")
		out, errs := p.wait(t)
		assert.Equal(t, 0, p.exitCode())
		assert.Empty(t, errs)
		usage := strings.Join(out, "\n")
		for _, want := range []string{"Usage of " + name, "-addr", ":8080", "-latency", "20ms", "-timeout", "100ms"} {
			assert.Contains(t, usage, want)
		}
	})
}

func TestBusyPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	each(t, func(t *testing.T, name string) {
		p := launch(t, name, "-addr", ln.Addr().String())
		out, errs := p.wait(t)
		assert.Equal(t, 1, p.exitCode())
		assert.Empty(t, out)
		require.Len(t, errs, 1)
		assert.Contains(t, errs[0], "address already in use")
	})
}

// TestShutdown sends the signal when a handler is known to run: it has asked for the
// body by a 100.
func TestShutdown(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
			t.Run(sig.String(), func(t *testing.T) {
				status, body := shutdown(t, name, sig)
				assert.Equal(t, 201, status)
				assert.Equal(t, `{"message":"User 1"}`, body)
			})
		}
	})
}

// shutdown returns the response to a request that was in flight at the signal.
func shutdown(t *testing.T, name string, sig os.Signal) (int, string) {
	t.Helper()
	p := serve(t, name, "-timeout", patience.String())
	conn, r := dial(t, p)
	_, err := fmt.Fprintf(conn, "POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(ada))
	require.NoError(t, err)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = r.ReadString('\n') // the empty line after it
	require.NoError(t, err)

	require.NoError(t, p.cmd.Process.Signal(sig))
	require.Contains(t, next(t, p.stderr), "shutting down")
	_, err = io.WriteString(conn, ada)
	require.NoError(t, err)

	res, body := answer(t, r)
	_, logged := p.logged(t)
	assert.Equal(t, res.StatusCode, logged.Status)
	p.ended(t)
	return res.StatusCode, body
}

// dial opens a connection on which a test can send any bytes.
func dial(t *testing.T, p *process) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", p.addr, patience)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn, bufio.NewReader(conn)
}

func answer(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}
