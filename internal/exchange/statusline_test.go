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

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
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
			s := testhttp.HTTP1.Start(t, entering((*exchange.Exchange).CountUpgraded)(o.watch(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				c, rw, err := w.(http.Hijacker).Hijack()
				if assert.NoError(t, err) {
					tc.write(c, rw, tc.head)
					_ = c.Close()
				}
			}))))
			c := s.Dial(t)
			target := "/"
			if tc.method == http.MethodConnect {
				target = "example.com:80"
			}
			c.Send(t, tc.method+" "+target+" HTTP/1.1\r\nHost: example.com:80\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			assert.Equal(t, tc.head, string(got))
			e := o.ending(t)
			assert.Equal(t, tc.want, e.Status)
			assert.Equal(t, exchange.Upgraded, e.Outcome)
			assert.EqualValues(t, len(tc.head), e.BytesOut)
		})
	}
}
