package timeout_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// variant is one of the ways in which a deadline is enforced.
type variant struct {
	desc  string
	major int  // of the protocol
	touch bool // something outside has touched the request, so HTTP/2 handlers run in place
}

var variants = []variant{
	{"HTTP/1", 1, false},
	{"HTTP/2", 2, false},
	{"HTTP/2 in place", 2, true},
}

// everywhere runs f once for each variant.
func everywhere(t *testing.T, f func(t *testing.T, v variant)) {
	t.Helper()
	for _, v := range variants {
		t.Run(v.desc, func(t *testing.T) { f(t, v) })
	}
}

type touchKey struct{}

// touched puts a value into the request's context, as tracing libraries do.
func touched(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), touchKey{}, true)))
	})
}

func (v variant) handler(h http.Handler) http.Handler {
	if v.touch {
		return touched(h)
	}
	return h
}

// server is a server with a client for it and what it logged.
type server struct {
	url    string
	client *http.Client
	log    *lines
}

// start serves h on a real socket until the test ends.
func (v variant) start(t *testing.T, h http.Handler) *server {
	t.Helper()
	s := httptest.NewUnstartedServer(v.handler(h))
	logged := new(lines)
	s.Config.ErrorLog = log.New(logged, "", 0)
	if v.major == 2 {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	s.Client().Timeout = watchdog
	return &server{s.URL, s.Client(), logged}
}

// bubble runs f against a server for h under a fake clock, over a network in
// memory.
func (v variant) bubble(t *testing.T, h http.Handler, f func(t *testing.T, s *server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		logged := new(lines)
		net := memory{make(chan net.Conn), make(chan struct{})}
		srv := &http.Server{Handler: v.handler(h), ErrorLog: log.New(logged, "", 0), Protocols: v.protocols()}
		go func() { _ = srv.Serve(net) }()
		tr := &http.Transport{Protocols: v.protocols(), DialContext: net.dial}
		f(t, &server{"http://memory", &http.Client{Transport: tr}, logged})
		<-time.After(48 * time.Hour) // handlers that were left behind come to their end
		tr.CloseIdleConnections()
		require.NoError(t, srv.Close())
		synctest.Wait()
	})
}

func (v variant) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(v.major == 1)
	p.SetUnencryptedHTTP2(v.major == 2)
	return p
}

// memory is a listener whose connections are net.Pipes.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (m memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m memory) Close() error {
	close(m.closed)
	return nil
}

func (m memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (m memory) dial(context.Context, string, string) (net.Conn, error) {
	client, srv := net.Pipe()
	m.conns <- srv
	return client, nil
}

// get is what came of a request: how far it got, and how it broke.
type got struct {
	status int // 0: no response
	header http.Header
	body   string
	err    error // of the request, or of its body
	took   time.Duration
}

func (s *server) get(t *testing.T) got {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, http.NoBody)
	require.NoError(t, err)
	return s.do(t, req)
}

// request makes a request with header lines as "Name: value".
func (s *server) request(t *testing.T, method string, body io.Reader, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url, body)
	require.NoError(t, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	return req
}

func (s *server) do(_ *testing.T, req *http.Request) (g got) {
	began := time.Now()
	res, err := s.client.Do(req)
	defer func() { g.took = time.Since(began) }()
	if err != nil {
		return got{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return got{status: res.StatusCode, header: res.Header, body: string(body), err: err}
}

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// receive is what c gives, or a failed test.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(watchdog):
		require.FailNow(t, "nothing came: "+what)
		panic("unreachable")
	}
}

// recovered swallows the panics of h, as the recovery middleware of many
// frameworks does.
func recovered(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				http.Error(w, "recovered", http.StatusInternalServerError)
			}
		}()
		h.ServeHTTP(w, r)
	})
}
