package exchange_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The status that is written by hand after a hijack, in however many pieces.
func TestStatusWrittenByHand(t *testing.T) {
	const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	pieces := func(n int) func(net.Conn, *bufio.ReadWriter, string) {
		return func(c net.Conn, _ *bufio.ReadWriter, s string) {
			for ; s != ""; s = s[min(n, len(s)):] {
				_, _ = io.WriteString(c, s[:min(n, len(s))])
			}
		}
	}
	readFrom := func(c net.Conn, _ *bufio.ReadWriter, s string) {
		_, _ = io.Copy(c, struct{ io.Reader }{strings.NewReader(s)})
	}
	buffered := func(_ net.Conn, rw *bufio.ReadWriter, s string) {
		_, _ = rw.WriteString(s)
		_ = rw.Flush()
	}
	for _, tc := range []struct {
		desc, method, head string
		write              func(net.Conn, *bufio.ReadWriter, string)
		want               int
	}{
		{"gorilla/websocket", "GET", switching, pieces(1 << 10), 101},
		{"httputil.ReverseProxy", "GET", switching, buffered, 101},
		{"byte by byte", "GET", switching, pieces(1), 101},
		{"ReadFrom", "GET", switching, readFrom, 101},
		{"a tunnel", "CONNECT", "HTTP/1.1 200 Connection established\r\n\r\n", pieces(1 << 10), 200},
		{"refused after all", "GET", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", pieces(5), 403},
		{"interim", "GET", "HTTP/1.1 103 Early Hints\r\n\r\n" + switching, pieces(1 << 10), 0},
		{"something else", "GET", "\x00\x01binary, and longer than a status line", readFrom, 0},
		{"too short", "GET", "HTTP/1.1 10", readFrom, 0},
		{"nothing", "GET", "", readFrom, 0},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			o := newObserver()
			s := start(t, 1, o.watch(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				c, rw, err := w.(http.Hijacker).Hijack()
				if assert.NoError(t, err) {
					tc.write(c, rw, tc.head)
					_ = c.Close()
				}
			})))
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			require.NoError(t, err)
			defer c.Close()
			target := "/"
			if tc.method == http.MethodConnect {
				target = "example.com:80"
			}
			_, err = io.WriteString(c, tc.method+" "+target+" HTTP/1.1\r\nHost: example.com:80\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			require.NoError(t, err)
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			assert.Equal(t, tc.head, string(got))
			e := o.ending(t)
			assert.Equal(t, tc.want, e.Status)
			assert.True(t, e.Hijacked)
			assert.EqualValues(t, len(tc.head), e.BytesOut)
		})
	}
}
