package bulwarktest

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// message is an HTTP/1 request, divided into the parts that are sent separately.
type message struct {
	head    string
	body    string
	chunked bool
}

func (c Client) message(t testing.TB, r *http.Request, http10 bool) message {
	t.Helper()
	m := message{body: string(readBody(t, r))}
	m.chunked = m.body != "" && r.ContentLength < 0 && !http10
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	proto := "HTTP/1.1"
	if http10 {
		proto = "HTTP/1.0"
	}
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s %s\r\nHost: %s\r\n", r.Method, r.URL.RequestURI(), proto, host)
	switch {
	case m.chunked:
		head.WriteString("Transfer-Encoding: chunked\r\n")
	case m.body != "":
		fmt.Fprintf(&head, "Content-Length: %d\r\n", len(m.body))
	case r.Method == http.MethodPost, r.Method == http.MethodPut, r.Method == http.MethodPatch:
		head.WriteString("Content-Length: 0\r\n")
	}
	_ = r.Header.WriteSubset(&head, map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true})
	head.WriteString("\r\n")
	m.head = head.String()
	return m
}

// encoded returns a piece of the body as it is sent.
func (m message) encoded(piece string) string {
	if !m.chunked || piece == "" {
		return piece
	}
	return fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
}

func (m message) end() string {
	if m.chunked {
		return "0\r\n\r\n"
	}
	return ""
}

func (c Client) connect(t testing.TB, r *http.Request) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), c.patience())
	defer cancel()
	address := r.URL.Host
	if r.URL.Port() == "" {
		address = net.JoinHostPort(r.URL.Hostname(), map[string]string{"http": "80", "https": "443"}[r.URL.Scheme])
	}
	conn, err := c.dial(ctx, "tcp", address)
	if err != nil {
		t.Fatalf("bulwarktest: %v", err)
	}
	_ = conn.SetDeadline(time.Now().Add(c.patience()))
	if r.URL.Scheme != "https" {
		return conn
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		config = c.TLS.Clone()
	}
	config.NextProtos = []string{"http/1.1"}
	if config.ServerName == "" {
		config.ServerName = r.URL.Hostname()
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		t.Fatalf("bulwarktest: %v", err)
	}
	return secure
}

func (c Client) http1(t testing.TB, r *http.Request, b behavior) Result {
	t.Helper()
	m := c.message(t, r, b.http10)
	conn := c.connect(t, r)
	defer func() { _ = conn.Close() }()
	if tcp, ok := conn.(*net.TCPConn); ok && b.slow > 0 {
		_ = tcp.SetReadBuffer(64 << 10)
	}
	stop, sent := make(chan struct{}), make(chan struct{})
	go func() { // the server may respond before it has read everything
		defer close(sent)
		m.send(conn, b, stop)
	}()
	if b.leave != nil {
		<-sent
		left := c.awaitLeave(b.leave, nil)
		close(stop)
		if !left {
			t.Fatal("bulwarktest: Vanish: leave was not closed within Patience")
		}
		return Result{}
	}
	res := receive(newReader(conn, b.slow, b.pause), r.Method)
	close(stop)
	_ = conn.Close()
	<-sent
	return res
}

// send sends the request, and stops when stop is closed. It ignores write errors,
// because the response, or its absence, shows what the server did.
func (m message) send(conn net.Conn, b behavior, stop <-chan struct{}) {
	write := func(s string) bool {
		_, err := io.WriteString(conn, s)
		return err == nil
	}
	switch {
	case b.stall:
		write(m.head + m.encoded(m.body[:min(b.first, len(m.body))]))
	case b.trickle:
		ok := write(m.head)
		for i := 0; ok && i < len(m.body); i++ {
			ok = write(m.encoded(m.body[i:i+1])) && pause(b.pause, stop)
		}
		if ok {
			write(m.end())
		}
	default:
		write(m.head + m.encoded(m.body) + m.end())
		if half, ok := conn.(interface{ CloseWrite() error }); ok && b.halfClose {
			_ = half.CloseWrite()
		}
	}
}

// pause reports whether d passed before stop was closed.
func pause(d time.Duration, stop <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	}
}

// newReader returns a reader of conn. If n is not 0, it reads n bytes at a time and
// waits for the duration every between two reads.
func newReader(conn io.Reader, n int, every time.Duration) *bufio.Reader {
	if n > 0 {
		conn = &slowReader{in: conn, n: n, every: every}
	}
	return bufio.NewReader(conn)
}

type slowReader struct {
	in    io.Reader
	n     int
	every time.Duration
	began bool
}

func (s *slowReader) Read(p []byte) (int, error) {
	if s.began {
		time.Sleep(s.every)
	}
	s.began = true
	return s.in.Read(p[:min(len(p), s.n)])
}

// receive reads one response.
func receive(in *bufio.Reader, method string) Result {
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return Result{Err: err}
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		return result(res, res.Body)
	}
}

func result(res *http.Response, body io.Reader) Result {
	defer res.Body.Close()
	b, err := io.ReadAll(body)
	return Result{Status: res.StatusCode, Header: res.Header, Body: string(b), Err: err}
}
