package timeout_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// raw is a client that speaks HTTP/1 by hand, as badly as a test wants.
type raw struct {
	net.Conn
	in *bufio.Reader
}

func (s *server) dial(t *testing.T) *raw {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(watchdog)))
	return &raw{c, bufio.NewReader(c)}
}

// send writes lines, each ended by CRLF.
func (c *raw) send(t *testing.T, lines ...string) {
	t.Helper()
	_, err := io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n")
	require.NoError(t, err)
}

// get sends a request without a body.
func (c *raw) get(t *testing.T, method string, header ...string) {
	t.Helper()
	c.send(t, append(append([]string{method + " / HTTP/1.1", "Host: test"}, header...), "")...)
}

// response reads a response and its body; err is where either broke off.
func (c *raw) response(t *testing.T, method string) (*http.Response, string, error) {
	t.Helper()
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

// rest is what comes until the server closes the connection.
func (c *raw) rest(t *testing.T) string {
	t.Helper()
	b, _ := io.ReadAll(c.in) // a reset ends it as well
	return string(b)
}
