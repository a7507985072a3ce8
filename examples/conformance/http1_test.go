package conformance_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type http1 struct {
	net.Conn
	in     *bufio.Reader
	closed bool // the server has said so, or done it
}

func dialHTTP1(t *testing.T, addr string) client {
	conn := dial(t, addr)
	return &http1{Conn: conn, in: bufio.NewReader(conn)}
}

func (c *http1) send(t *testing.T, r request) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: test\r\n", r.method, r.path)
	for k, v := range r.header {
		fmt.Fprintf(&b, "%s: %s\r\n", k, v)
	}
	switch {
	case r.bodiless():
		b.WriteString("\r\n")
	case r.declared < 0:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		if r.body != "" {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(r.body), r.body)
		}
		if !r.stalls {
			b.WriteString("0\r\n\r\n")
		}
	default:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", max(r.declared, len(r.body)), r.body)
	}
	_, err := io.WriteString(c, b.String())
	require.NoError(t, err)
}

func (c *http1) receive(t *testing.T, r request, seen func()) (a answer, id string) {
	t.Helper()
	for {
		res, err := http.ReadResponse(c.in, &http.Request{Method: r.method})
		if err != nil {
			c.closed = true
			a.End = none
			return a, id
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			a.Early = append(a.Early, res.StatusCode)
			continue
		}
		a.Status = res.StatusCode
		a.Header, id = flat(res.Header)
		if res.StatusCode == http.StatusSwitchingProtocols {
			c.closed = true
			a.End = whole
			return a, id
		}
		a.Body, err = readAll(res.Body, seen)
		a.Trailer, _ = flat(res.Trailer)
		c.closed = c.closed || res.Close || err != nil
		a.End = whole
		if err != nil {
			a.End = cut
		}
		return a, id
	}
}

func (c *http1) leave(*testing.T) { c.close() }
func (c *http1) reusable() bool   { return !c.closed }
func (c *http1) close()           { c.closed = true; _ = c.Close() }

// readAll is io.ReadAll, and calls seen whenever some more has come.
func readAll(r io.Reader, seen func()) (string, error) {
	var all []byte
	for buf := make([]byte, 512); ; {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if n > 0 {
			seen()
		}
		switch err {
		case nil:
		case io.EOF:
			return string(all), nil
		default:
			return string(slices.Clip(all)), err
		}
	}
}
